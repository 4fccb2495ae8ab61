package breakglass_test

import (
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// Closing ends what is read, and what waits to try again, and never the turn. Nothing can be called afterwards.
func TestCloseEndsWhatIsRead(t *testing.T) {
	server := startServer(t)
	wait, open := server.gate("go on")
	for name, protocol := range map[string]breakglass.Protocol{
		"gRPC": breakglass.ProtocolGRPC, "gRPC-Web": breakglass.ProtocolGRPCWeb, "Connect": breakglass.ProtocolConnect,
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, server.url, breakglass.WithProtocol(protocol))
			var last error
			var turnID string
			for event, err := range client.StreamTurn(testContext(t), script("say one", wait), neverLost(t)) {
				if last = err; event.GetText() != nil {
					turnID = event.GetTurnId()
					// While the next event is waited for.
					time.AfterFunc(50*time.Millisecond, func() { _ = client.Close() })
				}
			}
			if !errors.Is(last, breakglass.ErrClientClosed) {
				t.Errorf("the stream ended by %v", last)
			}
			attach := &breakglassv1.AttachTurnRequest{TurnId: turnID}
			for _, last = range client.AttachTurn(testContext(t), attach, neverLost(t)) {
			}
			if !errors.Is(last, breakglass.ErrClientClosed) {
				t.Errorf("a stream of a closed client ends by %v", last)
			}
			if _, err := client.Service.GetTurn(testContext(t), connect.NewRequest(&breakglassv1.GetTurnRequest{TurnId: turnID})); !errors.Is(err, breakglass.ErrClientClosed) {
				t.Errorf("a call of a closed client ends by %v", err)
			}
		})
	}
	open()
}

func TestCloseEndsWaits(t *testing.T) {
	proxy := startProxy(t)
	client := newClient(t, proxy.url())
	late := breakglass.WithBackOff(breakglass.BackOff{First: time.Hour, Longest: time.Hour, FirstGiveUp: time.Hour})
	hook := breakglass.WithConnectionHook(func(breakglass.ConnectionChange) { go client.Close() })
	if _, err := client.RunTurn(testContext(t), script("say one"), late, hook); !errors.Is(err, breakglass.ErrClientClosed) {
		t.Errorf("it ends by %v", err)
	}
}
