package breakglass_test

import (
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// expectGoroutines waits until there are no more than that.
func expectGoroutines(t *testing.T, most int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > most {
		if time.Now().After(deadline) {
			var all strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
			t.Fatalf("there are %d goroutines, and not %d:\n%s", runtime.NumGoroutine(), most, all.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// However a stream is left, nothing of it stays: neither while the client is in use, nor once it is closed.
func TestNothingStaysOfStreamsThatAreLeft(t *testing.T) {
	server := startServer(t)
	wait, open := server.gate("go on")
	// One turn, which all starts join.
	run := script("say one", wait)
	run.RequestId = "9d0e0c1c-3f57-4a54-8d4e-0f0f4b8f6a11"
	for name, protocol := range map[string]breakglass.Protocol{
		"gRPC": breakglass.ProtocolGRPC, "gRPC-Web": breakglass.ProtocolGRPCWeb, "Connect": breakglass.ProtocolConnect,
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			client := newClient(t, server.url, breakglass.WithProtocol(protocol))
			first, err := client.RunTurn(testContext(t), script("say one", "many 500"))
			if err != nil {
				t.Fatal(err)
			}
			connected := runtime.NumGoroutine()
			watch := &breakglassv1.WatchSessionRequest{SessionId: first.Turn.GetSessionId()}
			ended := &breakglassv1.AttachTurnRequest{TurnId: first.Turn.GetTurnId()}
			for range 20 {
				leave(t, client.StreamTurn(testContext(t), run), 3)
				leave(t, client.AttachTurn(testContext(t), ended), 1)
				leave(t, client.AttachTurn(testContext(t), ended), 400)
				leave(t, client.WatchSession(testContext(t), watch), 1)
				ctx, cancel := context.WithCancel(testContext(t))
				for range client.StreamTurn(ctx, run) {
					cancel()
				}
				cancel()
			}
			expectGoroutines(t, connected)
			_ = client.Close()
			expectGoroutines(t, before)
		})
	}
	open()
}

// leave leaves a stream after so many messages.
func leave[E any](t *testing.T, messages func(func(*E, error) bool), after int) {
	t.Helper()
	for _, err := range messages {
		if err != nil {
			t.Fatal(err)
		}
		if after--; after == 0 {
			return
		}
	}
}
