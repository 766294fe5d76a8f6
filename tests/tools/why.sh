#!/bin/sh
# Read what uv or pip printed when it failed, and print one sentence from
# causes.txt that gives the cause and says what to do. If causes.txt does not
# have the cause, print nothing and exit with a status other than zero. why.py
# does the same in Python, but this script also works on machines without
# Python.
exec awk '
    function put(name, text,    at) {
        while (at = index(sentence, name))
            sentence = substr(sentence, 1, at - 1) text substr(sentence, at + length(name))
    }
    part == "said" {
        said[++lines] = $0
        if (!address && match($0, "https?://[A-Za-z0-9.:_-]*"))
            address = substr($0, RSTART, RLENGTH)
        next
    }
    /^#/ { next }
    {
        cause = substr($0, 1, index($0, "\t") - 1)
        sentence = substr($0, index($0, "\t") + 1)
        for (i = 1; i <= lines; i++)
            if (said[i] ~ cause) {
                # Leave out the parts around the message itself.
                words = said[i]
                sub(/^ +/, "", words)
                sub(/^(cause|error|hint|ERROR|npm error):* */, "", words)
                sub(/^Because /, "", words)
                gsub(/[{][^}]*[}]/, "", words)
                sub(/ and you require.*/, "", words)
                sub(/ only has wheels.*/, "", words)
                sub(/[. ]*$/, "", words)
                put("{words}", words)
                put("{address}", address ? address : "another machine")
                print sentence
                found = 1
                exit
            }
    }
    END { exit !found }
' part=said - part=causes "${0%/*}/causes.txt"
