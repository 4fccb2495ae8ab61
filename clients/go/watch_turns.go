package breakglass

import (
	"context"
	"iter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"breakglass.test/clients/go/breakglassv1"
)

// WatchTurns watches all turns that the caller may see, and what waits for an approval in them, over as many connections as
// that takes: every change once and in order, from after request.AfterCursor. It has no end of its own. From 0 on it begins with
// what has not ended and what waits.
//
// Messages without a change, leaving the loop and ctx are as in [Client.WatchSession].
//
// The last pair has an error, as in [Client.StreamTurn]: OUT_OF_RANGE where some of what follows the cursor was removed with its
// turns. Watch from 0 then, and forget what was known.
func (c *Client) WatchTurns(ctx context.Context, request *breakglassv1.WatchTurnsRequest, options ...StreamOption) iter.Seq2[*breakglassv1.WatchTurnsResponse, error] {
	return func(yield func(*breakglassv1.WatchTurnsResponse, error) bool) {
		call := func(ctx context.Context, after uint64) (stream[breakglassv1.WatchTurnsResponse], error) {
			next := proto.CloneOf(request)
			next.AfterCursor = after
			answer, err := c.Service.WatchTurns(ctx, connect.NewRequest(next))
			if err != nil {
				return stream[breakglassv1.WatchTurnsResponse]{}, err
			}
			return streamOf(answer, itself), nil
		}
		reading := &watchReading[breakglassv1.WatchTurnsResponse, *breakglassv1.WatchTurnsResponse]{
			call:      call,
			hasChange: func(message *breakglassv1.WatchTurnsResponse) bool { return message.GetChange() != nil },
			cursor:    request.GetAfterCursor(),
		}
		resume(ctx, c, reading, newStreamConfig(options))(yield)
	}
}
