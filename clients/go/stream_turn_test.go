package breakglass_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// read reads a stream to its end, which is to be a good one.
func read(t *testing.T, events iter.Seq2[*breakglassv1.TurnEvent, error]) []*breakglassv1.TurnEvent {
	t.Helper()
	var all []*breakglassv1.TurnEvent
	for event, err := range events {
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		all = append(all, event)
	}
	return all
}

func durable(events []*breakglassv1.TurnEvent) []*breakglassv1.TurnEvent {
	var kept []*breakglassv1.TurnEvent
	for _, event := range events {
		if event.GetSequence() > 0 {
			kept = append(kept, event)
		}
	}
	return kept
}

func expectLog(t *testing.T, got, log []*breakglassv1.TurnEvent) {
	t.Helper()
	got = durable(got)
	if len(got) != len(log) {
		t.Fatalf("%d durable events came, and the log has %d", len(got), len(log))
	}
	for i := range log {
		if !proto.Equal(got[i], log[i]) {
			t.Fatalf("event %d is %v, and in the log %v", i, got[i], log[i])
		}
	}
}

func logOf(t *testing.T, client *breakglass.Client, turnID string) []*breakglassv1.TurnEvent {
	t.Helper()
	log := durable(read(t, client.AttachTurn(testContext(t), &breakglassv1.AttachTurnRequest{TurnId: turnID})))
	for i, event := range log {
		if event.GetSequence() != uint32(i+1) {
			t.Fatalf("event %d of the log has the sequence %d", i, event.GetSequence())
		}
	}
	return log
}

func expectTurns(t *testing.T, client *breakglass.Client, sessionID string, count int) {
	t.Helper()
	request := connect.NewRequest(&breakglassv1.ListTurnsRequest{SessionId: sessionID})
	response, err := client.Service.ListTurns(testContext(t), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(response.Msg.GetTurns()) != count {
		t.Errorf("the session has %d turns and not %d", len(response.Msg.GetTurns()), count)
	}
}

func TestRunTurnToItsEnd(t *testing.T) {
	client := newClient(t, startServer(t).url)
	outcome, err := client.RunTurn(testContext(t), script("say hello", "result done"))
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Text != "done" || outcome.CostUSD != 0.25 || outcome.Usage.GetOutputTokens() != 10 {
		t.Errorf("the outcome is %+v", outcome)
	}
	failed, err := client.RunTurn(testContext(t), script("say last words", "exit 3"))
	var failure *breakglass.TurnError
	if !errors.As(err, &failure) || failed == nil || failed.Error.GetReason() != breakglassv1.ErrorReason_ERROR_REASON_AGENT_EXITED {
		t.Fatalf("the error is %v, and the outcome %+v", err, failed)
	}
	if failed.Text == "" || failed.Text == "last words" || !strings.HasSuffix(err.Error(), "FAILED: AGENT_EXITED: "+failed.Text) {
		t.Errorf("the text is %q, and the error %v", failed.Text, err)
	}
}

func TestCutsAnywhere(t *testing.T) {
	proxy := startProxy(t)
	server := startServer(t, "BREAKGLASS_ALLOWED_HOSTS="+proxy.host())
	proxy.forwardTo(server.url)
	for name, protocol := range map[string]breakglass.Protocol{
		"gRPC": breakglass.ProtocolGRPC, "gRPC-Web": breakglass.ProtocolGRPCWeb, "Connect": breakglass.ProtocolConnect,
	} {
		t.Run(name, func(t *testing.T) { cutAnywhere(t, proxy, server, breakglass.WithProtocol(protocol)) })
	}
}

func cutAnywhere(t *testing.T, proxy *cuttingProxy, server *testServer, protocol breakglass.ClientOption) {
	direct := newClient(t, server.url, protocol)
	first := read(t, direct.StreamTurn(testContext(t), script("say one", "many 30")))
	turnID := first[0].GetTurnId()
	log := logOf(t, direct, turnID)
	expectLog(t, first, log)
	losses := 0
	counting := breakglass.WithConnectionHook(func(change breakglass.ConnectionChange) {
		if change.State == breakglass.ConnectionLost {
			losses++
		}
	})
	for after := 0; after < 2600; after += 83 {
		// Each connection behind the first is cut too, the last but one far enough for something new.
		proxy.cutNext(cut{after, after%2 == 0}, cut{after / 3, true}, cut{after + 400, false})
		client := newClient(t, proxy.url(), protocol)
		attach := &breakglassv1.AttachTurnRequest{TurnId: turnID, AfterSequence: uint32(after % 5)}
		expectLog(t, read(t, client.AttachTurn(testContext(t), attach, atOnce, counting)), log[after%5:])
	}
	if losses < 40 {
		t.Errorf("only %d connections were cut", losses)
	}
	losses = 0
	for after := 0; after < 1500; after += 251 {
		proxy.cutNext(cut{after, true}, cut{after / 2, false}, cut{after + 200, true})
		client := newClient(t, proxy.url(), protocol)
		events := read(t, client.StreamTurn(testContext(t), script("say one", "many 30"), atOnce, counting))
		expectLog(t, events, logOf(t, direct, events[0].GetTurnId()))
		expectTurns(t, direct, events[0].GetSessionId(), 1)
	}
	if losses < 8 {
		t.Errorf("only %d connections of runs were cut", losses)
	}
}

func TestServerThatIsKilled(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			proxy := startProxy(t)
			server := startServer(t, "BREAKGLASS_ALLOWED_HOSTS="+proxy.host())
			proxy.forwardTo(server.url)
			wait, _ := server.gate("never")
			client := newClient(t, proxy.url())
			var events []*breakglassv1.TurnEvent
			for event, err := range client.StreamTurn(testContext(t), script("say before", wait), atOnce) {
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, event)
				if event.GetText() != nil {
					server.end(signal)
					server.start()
					proxy.forwardTo(server.url)
				}
			}
			expectLog(t, events, logOf(t, client, events[0].GetTurnId()))
			want := breakglassv1.ErrorReason_ERROR_REASON_SERVER_RESTARTED
			if signal == syscall.SIGTERM {
				want = breakglassv1.ErrorReason_ERROR_REASON_SERVER_SHUTDOWN
			}
			if reason := events[len(events)-1].GetError().GetReason(); reason != want {
				t.Errorf("the turn ended with %v", reason)
			}
		})
	}
}

func TestSessionThatIsWatchedOverADrain(t *testing.T) {
	proxy := startProxy(t)
	server := startServer(t, "BREAKGLASS_ALLOWED_HOSTS="+proxy.host())
	proxy.forwardTo(server.url)
	client := newClient(t, proxy.url())
	outcome, err := client.RunTurn(testContext(t), script("say one"))
	if err != nil {
		t.Fatal(err)
	}
	sessionID := outcome.Turn.GetSessionId()
	var changes []string
	var losses []breakglass.Reason
	hook := breakglass.WithConnectionHook(func(change breakglass.ConnectionChange) {
		if change.State == breakglass.ConnectionLost {
			losses = append(losses, breakglass.ReasonOf(change.Err))
		}
	})
	second := make(chan error, 1)
	for message, err := range client.WatchSession(testContext(t), &breakglassv1.WatchSessionRequest{SessionId: sessionID}, atOnce, hook) {
		if err != nil {
			t.Fatal(err)
		}
		if message.GetChange() != nil {
			changes = append(changes, fmt.Sprintf("%d %T", message.GetCursor(), message.GetChange()))
		}
		if message.GetCaughtUp() {
			server.end(syscall.SIGTERM)
			server.start()
			proxy.forwardTo(server.url)
			go func() {
				request := script("say two")
				request.SessionId = sessionID
				_, err := client.RunTurn(testContext(t), request, atOnce)
				second <- err
			}()
		}
		if len(changes) == 4 {
			break
		}
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	want := "1 *breakglassv1.WatchSessionResponse_TurnStarted 2 *breakglassv1.WatchSessionResponse_TurnEnded " +
		"3 *breakglassv1.WatchSessionResponse_TurnStarted 4 *breakglassv1.WatchSessionResponse_TurnEnded"
	if got := strings.Join(changes, " "); got != want {
		t.Errorf("the changes are %s", got)
	}
	if len(losses) == 0 || losses[0] != breakglass.ReasonStreamEnded {
		t.Errorf("the stream was lost by %q", losses)
	}
}

func TestTurnThatHasEnded(t *testing.T) {
	client := newClient(t, startServer(t).url)
	outcome, err := client.RunTurn(testContext(t), script("say one"))
	if err != nil {
		t.Fatal(err)
	}
	turnID, last := outcome.Turn.GetTurnId(), outcome.Turn.GetLastSequence()
	attach := &breakglassv1.AttachTurnRequest{TurnId: turnID, AfterSequence: last}
	events := read(t, client.AttachTurn(testContext(t), attach))
	if len(events) == 0 || events[0].GetCheckpoint().GetState() != breakglassv1.TurnState_TURN_STATE_SUCCEEDED {
		t.Errorf("the events are %v", events)
	}
	expectLog(t, events, nil)
	attach.AfterSequence++
	for _, err = range client.AttachTurn(testContext(t), attach, neverLost(t)) {
		break
	}
	info, _ := breakglass.InfoOf(err)
	if info.Reason != breakglass.ReasonOutOfRange || info.Metadata["last_sequence"] != fmt.Sprint(last) {
		t.Errorf("past the end comes %v, %+v", err, info)
	}
}

func TestStartIsJoinedByItsRequestID(t *testing.T) {
	client := newClient(t, startServer(t).url)
	request := script("say one", "many 5")
	request.RequestId = "0b0d4a52-9c3e-4d8e-9a0f-3f5a2f7c1d10"
	first := read(t, client.StreamTurn(testContext(t), request))
	expectLog(t, read(t, client.StreamTurn(testContext(t), request)), durable(first))
	expectTurns(t, client, first[0].GetSessionId(), 1)
}

func TestSilence(t *testing.T) {
	proxy := startProxy(t)
	server := startServer(t, "BREAKGLASS_ALLOWED_HOSTS="+proxy.host())
	proxy.forwardTo(server.url)
	client := newClient(t, proxy.url())
	wait, open := server.gate("go on")
	proxy.hold(true)
	var silences []bool
	hook := breakglass.WithConnectionHook(func(change breakglass.ConnectionChange) {
		var silence *breakglass.SilenceError
		if change.State != breakglass.ConnectionLost {
			return
		}
		if !errors.As(change.Err, &silence) {
			t.Errorf("the connection was lost by %v", change.Err)
			return
		}
		silences = append(silences, silence.First)
		proxy.hold(false)
		if len(silences) == 2 {
			open()
		}
	})
	var events []*breakglassv1.TurnEvent
	for event, err := range client.StreamTurn(testContext(t), script("say one", wait, "say two"), atOnce, hook, breakglass.WithSilence(3*time.Second)) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
		if event.GetText().GetText() == "one" {
			proxy.blacken()
		}
	}
	expectLog(t, events, logOf(t, newClient(t, server.url), events[0].GetTurnId()))
	if len(silences) != 2 || !silences[0] || silences[1] {
		t.Errorf("the silences were before the first message: %v", silences)
	}
}

func TestLeavingEndsTheReadingAndNotTheTurn(t *testing.T) {
	server := startServer(t)
	client := newClient(t, server.url)
	wait, open := server.gate("go on")
	var turnID string
	for event, err := range client.StreamTurn(testContext(t), script("say one", wait)) {
		if err != nil {
			t.Fatal(err)
		}
		turnID = event.GetTurnId()
		break
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var last error
	for event, err := range client.AttachTurn(ctx, &breakglassv1.AttachTurnRequest{TurnId: turnID}) {
		if last = err; event.GetText() != nil {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the stream that was canceled ended by %v", last)
	}
	short, cancelShort := context.WithTimeout(testContext(t), 200*time.Millisecond)
	defer cancelShort()
	for _, err := range client.AttachTurn(short, &breakglassv1.AttachTurnRequest{TurnId: turnID}) {
		last = err
	}
	if !errors.Is(last, context.DeadlineExceeded) {
		t.Errorf("the stream with a deadline ended by %v", last)
	}
	open()
	log := logOf(t, client, turnID)
	if log[len(log)-1].GetResult() == nil {
		t.Errorf("the turn ended with %v", log[len(log)-1])
	}
}
