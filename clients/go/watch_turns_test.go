package breakglass_test

import (
	"context"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1"
)

type turnsMessage = breakglassv1.WatchTurnsResponse

func (s *scriptServer) WatchTurns(_ context.Context, request *connect.Request[breakglassv1.WatchTurnsRequest], stream *connect.ServerStream[turnsMessage]) error {
	s.turnWatches = append(s.turnWatches, request.Msg)
	messages := s.turnMessages[0]
	s.turnMessages = s.turnMessages[1:]
	for _, message := range messages {
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	if len(s.turnMessages) == 0 {
		return status(connect.CodeOutOfRange)
	}
	return nil
}

func turnChange(cursor uint64) *turnsMessage {
	return &turnsMessage{Cursor: cursor, Change: &breakglassv1.WatchTurnsResponse_TurnChanged{TurnChanged: &breakglassv1.Turn{}}}
}

func TestOneWatchOfTurnsIsMadeOfManyCalls(t *testing.T) {
	server, client := startScriptServer(t)
	server.turnMessages = [][]*turnsMessage{
		{turnChange(3), {Cursor: 7, CaughtUp: true}, {Cursor: 7}},
		{turnChange(7), {Cursor: 7, CaughtUp: true}, turnChange(8)},
		{},
	}
	var cursors []uint64
	var caughtUp int
	var last error
	request := &breakglassv1.WatchTurnsRequest{Query: "gateway"}
	for message, err := range client.WatchTurns(testContext(t), request, atOnce) {
		if last = err; err != nil {
			break
		}
		cursors = append(cursors, message.GetCursor())
		if message.GetCaughtUp() {
			caughtUp++
		}
	}
	if !slices.Equal(cursors, []uint64{3, 7, 7, 8}) || caughtUp != 1 {
		t.Errorf("what came has the cursors %v, and was caught up %d times", cursors, caughtUp)
	}
	for index, after := range []uint64{0, 7, 8} {
		if asked := server.turnWatches[index]; asked.GetAfterCursor() != after || asked.GetQuery() != "gateway" {
			t.Errorf("it asked for %v", asked)
		}
	}
	if request.GetAfterCursor() != 0 {
		t.Errorf("the caller's request became %v", request)
	}
	if connect.CodeOf(last) != connect.CodeOutOfRange {
		t.Errorf("it ends by %v", last)
	}
}
