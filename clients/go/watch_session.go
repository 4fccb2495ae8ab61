package breakglass

import (
	"context"
	"errors"
	"iter"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1"
)

// ErrWatchCut is the failure of a WatchSession whose stream ended well: the session goes on.
var ErrWatchCut = errors.New("breakglass: the stream ended, and the session goes on")

// WatchSession watches a session over as many connections as that takes: every change once and in order, from after
// request.AfterCursor. It has no end of its own.
//
// Messages without a change read as of one stream too: caught_up is said once, and those that say that the server is there
// still all pass. Leaving the loop, and ctx, end the call and every wait at once.
//
// The last pair has an error, as in [Client.StreamTurn]: NOT_FOUND where the session is deleted.
func (c *Client) WatchSession(ctx context.Context, request *breakglassv1.WatchSessionRequest, options ...StreamOption) iter.Seq2[*breakglassv1.WatchSessionResponse, error] {
	return func(yield func(*breakglassv1.WatchSessionResponse, error) bool) {
		reading := &sessionReading{client: c, sessionID: request.GetSessionId(), cursor: request.GetAfterCursor()}
		resume(ctx, c, reading, newStreamConfig(options))(yield)
	}
}

type sessionReading struct {
	client     *Client
	sessionID  string
	cursor     uint64
	isCaughtUp bool
}

func (r *sessionReading) open(ctx context.Context) (stream[breakglassv1.WatchSessionResponse], error) {
	request := &breakglassv1.WatchSessionRequest{SessionId: r.sessionID, AfterCursor: r.cursor}
	call, err := r.client.Service.WatchSession(ctx, connect.NewRequest(request))
	if err != nil {
		return stream[breakglassv1.WatchSessionResponse]{}, err
	}
	itself := func(message *breakglassv1.WatchSessionResponse) *breakglassv1.WatchSessionResponse { return message }
	return streamOf(call, itself), nil
}

func (r *sessionReading) take(message *breakglassv1.WatchSessionResponse) (taken[breakglassv1.WatchSessionResponse], error) {
	got := taken[breakglassv1.WatchSessionResponse]{isNew: message.GetCursor() > r.cursor}
	isAlive := message.GetChange() == nil && !message.GetCaughtUp()
	isCatchingUp := message.GetCaughtUp() && !r.isCaughtUp
	if got.isNew {
		r.cursor = message.GetCursor()
	}
	r.isCaughtUp = r.isCaughtUp || message.GetCaughtUp()
	if got.isNew || isAlive || isCatchingUp {
		got.fresh = message
	}
	return got, nil
}

func (r *sessionReading) ended() error { return ErrWatchCut }
