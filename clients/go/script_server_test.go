package breakglass_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
	"breakglass.test/clients/go/breakglassv1/breakglassv1connect"
)

const scriptedTurnID = "0191d1f0-0000-7000-8000-000000000001"

// answer is what one call brings: events, and then its status; nil: OK.
type answer struct {
	events []*breakglassv1.TurnEvent
	err    error
}

// scriptServer answers the calls of one turn with what a test says, one after the other: what the real server does not do.
type scriptServer struct {
	breakglassv1connect.UnimplementedBreakglassServiceHandler
	mu       sync.Mutex
	answers  []answer
	pages    []int // The statuses of a proxy's own pages, which come before any answer.
	runs     []*breakglassv1.RunTurnRequest
	attaches []*breakglassv1.AttachTurnRequest
	messages [][]*message // Of the watches.
	watches  []uint64     // After which cursors.

	turnMessages [][]*turnsMessage // Of the watches of turns.
	turnWatches  []*breakglassv1.WatchTurnsRequest
}

func startScriptServer(t *testing.T, answers ...answer) (*scriptServer, *breakglass.Client) {
	t.Helper()
	server := &scriptServer{answers: answers}
	mux := http.NewServeMux()
	mux.Handle(breakglassv1connect.NewBreakglassServiceHandler(server))
	listener := httptest.NewUnstartedServer(server.behindProxy(mux))
	listener.Config.Protocols = new(http.Protocols)
	listener.Config.Protocols.SetUnencryptedHTTP2(true)
	listener.Start()
	t.Cleanup(listener.Close)
	return server, newClient(t, listener.URL)
}

func (s *scriptServer) behindProxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		pages := s.pages
		if len(pages) > 0 {
			s.pages = pages[1:]
		}
		s.mu.Unlock()
		if len(pages) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(pages[0])
		_, _ = w.Write([]byte("<html>"))
	})
}

func (s *scriptServer) next() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 {
		return answer{err: connect.NewError(connect.CodeFailedPrecondition, errors.New("the script is over"))}
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	return next
}

func (s *scriptServer) RunTurn(_ context.Context, request *connect.Request[breakglassv1.RunTurnRequest], stream *connect.ServerStream[breakglassv1.RunTurnResponse]) error {
	s.runs = append(s.runs, request.Msg)
	next := s.next()
	for _, event := range next.events {
		if err := stream.Send(&breakglassv1.RunTurnResponse{Event: event}); err != nil {
			return err
		}
	}
	return next.err
}

func (s *scriptServer) AttachTurn(_ context.Context, request *connect.Request[breakglassv1.AttachTurnRequest], stream *connect.ServerStream[breakglassv1.AttachTurnResponse]) error {
	s.attaches = append(s.attaches, request.Msg)
	next := s.next()
	for _, event := range next.events {
		if err := stream.Send(&breakglassv1.AttachTurnResponse{Event: event}); err != nil {
			return err
		}
	}
	return next.err
}

func checkpoint(sequence uint32, caughtUp bool) *breakglassv1.TurnEvent {
	return &breakglassv1.TurnEvent{TurnId: scriptedTurnID, Kind: &breakglassv1.TurnEvent_Checkpoint{Checkpoint: &breakglassv1.CheckpointEvent{
		Sequence: sequence, CaughtUp: caughtUp, State: breakglassv1.TurnState_TURN_STATE_RUNNING,
	}}}
}

func text(sequence uint32, said string) *breakglassv1.TurnEvent {
	return &breakglassv1.TurnEvent{TurnId: scriptedTurnID, Sequence: sequence, Kind: &breakglassv1.TurnEvent_Text{Text: &breakglassv1.TextEvent{Text: said}}}
}

func result(sequence uint32) *breakglassv1.TurnEvent {
	return &breakglassv1.TurnEvent{TurnId: scriptedTurnID, Sequence: sequence, Kind: &breakglassv1.TurnEvent_Result{Result: &breakglassv1.ResultEvent{}}}
}

func piece(id, written string) *breakglassv1.TurnEvent {
	return &breakglassv1.TurnEvent{TurnId: scriptedTurnID, Kind: &breakglassv1.TurnEvent_TextDelta{TextDelta: &breakglassv1.TextDeltaEvent{MessageId: id, Text: written}}}
}

// unknown is an event of a kind that a newer server may send.
func unknown(sequence uint32) *breakglassv1.TurnEvent {
	event := &breakglassv1.TurnEvent{TurnId: scriptedTurnID, Sequence: sequence}
	event.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 900, protowire.BytesType), []byte("new")))
	return event
}

func status(code connect.Code) error { return connect.NewError(code, errors.New("scripted")) }

func askedToWait(delay time.Duration) error {
	err := connect.NewError(connect.CodeResourceExhausted, errors.New("scripted"))
	detail, _ := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	err.AddDetail(detail)
	return err
}

// shapes tells what came, an event a text.
func shapes(events []*breakglassv1.TurnEvent) []string {
	var all []string
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *breakglassv1.TurnEvent_Checkpoint:
			all = append(all, map[bool]string{true: "caught up", false: "checkpoint"}[kind.Checkpoint.GetCaughtUp()])
		case *breakglassv1.TurnEvent_TextDelta:
			all = append(all, kind.TextDelta.GetMessageId()+"+"+kind.TextDelta.GetText())
		case *breakglassv1.TurnEvent_Text:
			all = append(all, kind.Text.GetText())
		case *breakglassv1.TurnEvent_Result:
			all = append(all, "result")
		default:
			all = append(all, "unknown")
		}
	}
	return all
}
