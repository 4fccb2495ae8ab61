package breakglass_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's first program, in a module of its own elsewhere, runs a turn.
func TestFirstCallOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(readme)
	if found == nil {
		t.Fatal("there is no program in it")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	server := startServer(t)
	program := strings.NewReplacer("http://127.0.0.1:7433", server.url, "What is wrong with the gateway?", `result all is well`).Replace(string(found[1]))
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(module), "\n")
	directory := t.TempDir()
	for name, content := range map[string]string{
		"main.go": program,
		"go.sum":  string(sums),
		"go.mod": "module example.test/first\n" + rest +
			"\nrequire breakglass.test/clients/go v0.0.0\nreplace breakglass.test/clients/go => " + here + "\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(testContext(t), "go", "run", "-mod=mod", ".")
	command.Dir = directory
	output, err := command.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(output), "all is well 0.25") {
		t.Errorf("it says %s: %v", output, err)
	}
}
