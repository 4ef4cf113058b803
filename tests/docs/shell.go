package docs

import (
	"errors"
	"regexp"
	"strings"
)

// comment ends a line of a command; a # within a word or in quotes does not.
var comment = regexp.MustCompile(`(^|\s)#( .*|$)`)

// commands are a script's, each as its words: what pipes, && and ; part, without
// variables set before it.
func commands(script string) ([][]string, error) {
	var all [][]string
	for line := range strings.Lines(strings.ReplaceAll(script, "\\\n", " ")) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
		words, err := split(line)
		if err != nil {
			return nil, err
		}
		var one []string
		for _, w := range append(words, ";") {
			switch {
			case w == "|" || w == "&&" || w == ";":
				if len(one) > 0 {
					all = append(all, one)
				}
				one = nil
			case len(one) == 0 && assignment.MatchString(w):
			default:
				one = append(one, w)
			}
		}
	}
	return all, nil
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// split is a line's words as the shell sees them: quotes hold together.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	begun := false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t':
			end()
		case c == ';':
			end()
			words = append(words, ";")
		default:
			begun = true
			word.WriteRune(c)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote has no end: " + line)
	}
	end()
	return words, nil
}
