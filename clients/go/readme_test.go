package breakglass_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// stranger is a directory outside the repository that holds one of the README's programs, set up as the README says.
type stranger struct {
	directory string
	setUp     string // Its lines of shell.
}

// samplesOf returns the README's blocks of a language.
func samplesOf(t *testing.T, language string) []string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(readme, -1) {
		all = append(all, string(found[1]))
	}
	return all
}

func newStranger(t *testing.T, server *testServer, program, prompt string) stranger {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	program = strings.NewReplacer("http://127.0.0.1:7433", server.url, "What is wrong with the gateway?", prompt).Replace(program)
	if err := os.WriteFile(filepath.Join(directory, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	return stranger{directory, strings.ReplaceAll(samplesOf(t, "sh")[0], "/path/to/breakglass/clients/go", here)}
}

func (s stranger) command(ctx context.Context) *exec.Cmd {
	command := exec.CommandContext(ctx, "sh", "-e", "-c", s.setUp)
	command.Dir = s.directory
	// `go run` leaves its program behind where it is killed alone.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command
}

// Each program of the README, in a module of its own elsewhere, does what it says.
func TestProgramsOfTheREADME(t *testing.T) {
	server := startServer(t)
	programs := samplesOf(t, "go")
	want := []string{
		"all is well 0.25\n",
		"0 *breakglassv1.TurnEvent_Checkpoint\n1 *breakglassv1.TurnEvent_Session\n",
		"refused: INVALID_ARGUMENT map[] map[prompt:",
	}
	if len(programs) != len(want) {
		t.Fatalf("there are %d programs in it", len(programs))
	}
	for i, program := range programs {
		command := newStranger(t, server, program, "result all is well").command(testContext(t))
		var stderr strings.Builder
		command.Stderr = &stderr
		output, err := command.Output()
		if err != nil || !strings.HasPrefix(string(output), want[i]) {
			t.Errorf("program %d says %s: %v\n%s", i, output, err, stderr.String())
		}
	}
}

// The README's program that streams prints every event once over a server that is killed, as `kill -9` does, and started again.
func TestStrangerReadsOnOverAKill(t *testing.T) {
	server := startServer(t)
	command := newStranger(t, server, samplesOf(t, "go")[1], `say one\nsay two\nhang`).command(testContext(t))
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var durable []string
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "0 ") {
			continue
		}
		durable = append(durable, lines.Text())
		if lines.Text() == "3 two" {
			server.end(syscall.SIGKILL)
			server.start()
		}
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it ends by %v: %s", err, stderr.String())
	}
	want := []string{"1 *breakglassv1.TurnEvent_Session", "2 one", "3 two", "4 the turn failed: "}
	last := len(want) - 1
	if len(durable) != len(want) || !slices.Equal(durable[:last], want[:last]) || !strings.HasPrefix(durable[last], want[last]) {
		t.Errorf("it printed %q\n%s", durable, stderr.String())
	}
}

func TestFirstCallHasTenLines(t *testing.T) {
	_, body, _ := strings.Cut(samplesOf(t, "go")[0], "func main() {\n")
	if lines := strings.Count(strings.TrimSpace(body), "\n"); lines > 10 {
		t.Errorf("it has %d lines", lines)
	}
}
