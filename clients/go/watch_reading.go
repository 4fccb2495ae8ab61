package breakglass

import (
	"context"
	"errors"
)

// ErrWatchCut is the failure of a WatchSession or WatchTurns whose stream ended well: what is watched goes on.
var ErrWatchCut = errors.New("breakglass: the stream ended, and what is watched goes on")

// watchMessage is what is told of something that is watched.
type watchMessage[M any] interface {
	*M
	GetCursor() uint64
	GetCaughtUp() bool
}

// watchReading reads what is watched over any number of calls: its place is the greatest cursor that was seen.
type watchReading[M any, P watchMessage[M]] struct {
	// call makes the next call, from after a cursor.
	call func(ctx context.Context, after uint64) (stream[M], error)
	// hasChange tells whether a message is more than a sign of life.
	hasChange  func(P) bool
	cursor     uint64
	isCaughtUp bool
}

func (r *watchReading[M, P]) open(ctx context.Context) (stream[M], error) {
	return r.call(ctx, r.cursor)
}

func (r *watchReading[M, P]) take(message *M) (taken[M], error) {
	told := P(message)
	got := taken[M]{isNew: told.GetCursor() > r.cursor}
	isAlive := !r.hasChange(told) && !told.GetCaughtUp()
	isCatchingUp := told.GetCaughtUp() && !r.isCaughtUp
	if got.isNew {
		r.cursor = told.GetCursor()
	}
	r.isCaughtUp = r.isCaughtUp || told.GetCaughtUp()
	if got.isNew || isAlive || isCatchingUp {
		got.fresh = message
	}
	return got, nil
}

func (r *watchReading[M, P]) ended() error { return ErrWatchCut }

// itself is a message as it is read.
func itself[M any](message *M) *M { return message }
