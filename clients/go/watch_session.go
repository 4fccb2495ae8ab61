package breakglass

import (
	"context"
	"iter"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1"
)

// WatchSession watches a session over as many connections as that takes: every change once and in order, from after
// request.AfterCursor. It has no end of its own.
//
// Messages without a change read as of one stream too: caught_up is said once, and those that say that the server is there
// still all pass. Leaving the loop, and ctx, end the call and every wait at once.
//
// The last pair has an error, as in [Client.StreamTurn]: NOT_FOUND where the session is deleted.
func (c *Client) WatchSession(ctx context.Context, request *breakglassv1.WatchSessionRequest, options ...StreamOption) iter.Seq2[*breakglassv1.WatchSessionResponse, error] {
	return func(yield func(*breakglassv1.WatchSessionResponse, error) bool) {
		call := func(ctx context.Context, after uint64) (stream[breakglassv1.WatchSessionResponse], error) {
			next := &breakglassv1.WatchSessionRequest{
				SessionId:        request.GetSessionId(),
				SessionPrincipal: request.GetSessionPrincipal(),
				AfterCursor:      after,
			}
			answer, err := c.Service.WatchSession(ctx, connect.NewRequest(next))
			if err != nil {
				return stream[breakglassv1.WatchSessionResponse]{}, err
			}
			return streamOf(answer, itself), nil
		}
		reading := &watchReading[breakglassv1.WatchSessionResponse, *breakglassv1.WatchSessionResponse]{
			call:      call,
			hasChange: func(message *breakglassv1.WatchSessionResponse) bool { return message.GetChange() != nil },
			cursor:    request.GetAfterCursor(),
		}
		resume(ctx, c, reading, newStreamConfig(options))(yield)
	}
}
