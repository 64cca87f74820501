// A web server that says who runs it, and what that user may write to.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from Go, run by user %d\n", os.Getuid())
	})
	http.HandleFunc("/writable", func(w http.ResponseWriter, r *http.Request) {
		for _, folder := range []string{"/", "/tmp"} {
			fmt.Fprintf(w, "%s %t\n", folder, writable(folder))
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func writable(folder string) bool {
	file, err := os.CreateTemp(folder, "")
	if err != nil {
		return false
	}
	file.Close()
	os.Remove(file.Name())
	return true
}
