package breakglass_test

import (
	"context"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1"
)

type message = breakglassv1.WatchSessionResponse

func (s *scriptServer) WatchSession(_ context.Context, request *connect.Request[breakglassv1.WatchSessionRequest], stream *connect.ServerStream[message]) error {
	s.watches = append(s.watches, request.Msg.GetAfterCursor())
	messages := s.messages[0]
	s.messages = s.messages[1:]
	for _, message := range messages {
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	if len(s.messages) == 0 {
		return status(connect.CodeNotFound)
	}
	return nil
}

func change(cursor uint64) *message {
	return &message{Cursor: cursor, Change: &breakglassv1.WatchSessionResponse_TurnEnded{TurnEnded: &breakglassv1.Turn{}}}
}

func TestOneWatchIsMadeOfManyCalls(t *testing.T) {
	server, client := startScriptServer(t)
	server.messages = [][]*message{
		{change(3), {Cursor: 3, CaughtUp: true}, {Cursor: 3}},
		{change(3), {Cursor: 3, CaughtUp: true}, change(4)},
		{},
	}
	var cursors []uint64
	var caughtUp int
	var last error
	for message, err := range client.WatchSession(testContext(t), &breakglassv1.WatchSessionRequest{SessionId: "s", AfterCursor: 2}, atOnce) {
		if last = err; err != nil {
			break
		}
		cursors = append(cursors, message.GetCursor())
		if message.GetCaughtUp() {
			caughtUp++
		}
	}
	if !slices.Equal(cursors, []uint64{3, 3, 3, 4}) || caughtUp != 1 {
		t.Errorf("what came has the cursors %v, and was caught up %d times", cursors, caughtUp)
	}
	if !slices.Equal(server.watches, []uint64{2, 3, 4}) {
		t.Errorf("it asked for what is after %v", server.watches)
	}
	if connect.CodeOf(last) != connect.CodeNotFound {
		t.Errorf("it ends by %v", last)
	}
}
