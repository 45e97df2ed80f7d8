// Package plural says how many there are.
package plural

import "fmt"

// Of is a number with a word.
func Of(n int, word string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}
