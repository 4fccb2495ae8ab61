package breakglass_test

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

const repository = "../.."

// testServer is the real server in a process of its own, with an agent that does what its prompt says
// (test/fixtures/scripted-agent.ts), a step a line. Its port stays its own over restarts.
type testServer struct {
	t       *testing.T
	url     string
	root    string
	env     []string
	command *exec.Cmd
	exited  chan error
}

func startServer(t *testing.T, settings ...string) *testServer {
	t.Helper()
	top, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	bin := filepath.Join(top, "node_modules", "node", "bin")
	server := &testServer{t: t, root: root, env: append([]string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + root,
		"NODE_COMPILE_CACHE=" + filepath.Join(top, "node_modules", ".cache", "node-compile"),
		"BREAKGLASS_DATA_DIR=" + filepath.Join(root, "data"),
		"BREAKGLASS_AGENT_COMMAND=" + filepath.Join(top, "test", "fixtures", "scripted-agent.ts"),
		"BREAKGLASS_AGENT_ENV=NODE_COMPILE_CACHE",
		"BREAKGLASS_MAX_WARM_PROCESSES=0",
		"BREAKGLASS_DRAIN_SECONDS=0",
	}, settings...)}
	server.start()
	t.Cleanup(func() { server.end(syscall.SIGTERM) })
	return server
}

var listening = regexp.MustCompile(`https?://[^\s"]+`)

// start starts it, again after end, and waits until it accepts connections.
func (s *testServer) start() {
	s.t.Helper()
	node := filepath.Join(repository, "node_modules", "node", "bin", "node")
	s.command = exec.Command(node, "--conditions=breakglass-source", filepath.Join(repository, "src", "main.ts"), "serve")
	port := "0"
	if served, err := url.Parse(s.url); err == nil && served.Port() != "" {
		port = served.Port()
	}
	s.command.Env = append(slices.Clip(s.env), "BREAKGLASS_LISTEN=127.0.0.1:"+port)
	var stderr strings.Builder
	s.command.Stderr = &stderr
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		s.t.Fatalf("npm ci has not been run? %v", err)
	}
	s.exited = make(chan error, 1)
	lines := bufio.NewReader(stdout)
	first, _ := lines.ReadString('\n')
	go func() {
		_, _ = lines.WriteTo(discard{})
		s.exited <- s.command.Wait()
	}()
	if s.url = listening.FindString(first); s.url == "" {
		<-s.exited
		s.t.Fatalf("serve did not come up: %s%s", first, stderr.String())
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// end sends the server a signal, and waits until it has ended. Idempotent.
func (s *testServer) end(signal syscall.Signal) {
	if s.exited == nil {
		return
	}
	_ = s.command.Process.Signal(signal)
	<-s.exited
	s.exited = nil
}

// gate is a file that the agent's step "wait" waits for.
func (s *testServer) gate(name string) (step string, open func()) {
	path := filepath.Join(s.root, name)
	return "wait " + path, func() {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			s.t.Error(err)
		}
	}
}

func newClient(t *testing.T, url string, options ...breakglass.ClientOption) *breakglass.Client {
	t.Helper()
	client, err := breakglass.NewClient(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// testContext ends before the test's binary would be killed.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, fmt.Errorf("the test took too long"))
	t.Cleanup(cancel)
	return ctx
}

func script(steps ...string) *breakglassv1.RunTurnRequest {
	return &breakglassv1.RunTurnRequest{Prompt: strings.Join(steps, "\n")}
}

// Waits that are as short as a test's.
var atOnce = breakglass.WithBackOff(breakglass.BackOff{First: time.Millisecond, Longest: 50 * time.Millisecond})
