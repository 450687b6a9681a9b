// Says of each expression whether Go takes it, and which of the texts it matches.
//
// Standard input is a JSON object with "expressions" and "texts"; standard output has the version of Go, and then one line
// for each expression: "-", or a digit for each text.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
)

func main() {
	var asked struct{ Expressions, Texts []string }
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, runtime.Version())
	for _, expression := range asked.Expressions {
		compiled, err := regexp.Compile(expression)
		if err != nil {
			fmt.Fprintln(out, "-")
			continue
		}
		for _, text := range asked.Texts {
			digit := '0'
			if compiled.MatchString(text) {
				digit = '1'
			}
			fmt.Fprintf(out, "%c", digit)
		}
		fmt.Fprintln(out)
	}
}
