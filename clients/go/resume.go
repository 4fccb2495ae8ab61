package breakglass

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
)

const (
	// The server is never silent for longer than 15 s.
	defaultSilence = 40 * time.Second
	// How long the end of a stream is waited for after that of what it tells.
	finishTimeout = time.Second
)

// ConnectionState says what became of a connection.
type ConnectionState int

const (
	// ConnectionLost says that a call failed, and is tried again.
	ConnectionLost ConnectionState = iota + 1
	// ConnectionBack says that the server was heard again.
	ConnectionBack
)

// ConnectionChange tells what became of the connection, for telling a person.
type ConnectionChange struct {
	State ConnectionState
	// Err is why it was lost: a *connect.Error, *SilenceError, *SequenceGapError or ErrStreamCut.
	Err error
	// RetryIn is when the next try begins.
	RetryIn time.Duration
	// Failures is how many calls failed since something new was read; 1 for the first.
	Failures int
	// WasConnected tells whether the server was ever heard.
	WasConnected bool
}

// StreamOption changes how a stream is read over connections that break.
type StreamOption func(*streamConfig)

type streamConfig struct {
	backOff      BackOff
	silence      time.Duration
	onConnection func(ConnectionChange)
}

// WithBackOff says how long to wait before each try, and when to give up.
func WithBackOff(backOff BackOff) StreamOption {
	return func(c *streamConfig) { c.backOff = backOff }
}

// WithSilence sets the longest silence before a connection is taken for dead; 40 s unless told.
func WithSilence(silence time.Duration) StreamOption {
	return func(c *streamConfig) { c.silence = silence }
}

// WithConnectionHook has f told of every connection that is lost, and of the one that takes its place. It is called between two
// events, and is to return soon.
func WithConnectionHook(f func(ConnectionChange)) StreamOption {
	return func(c *streamConfig) { c.onConnection = f }
}

func newStreamConfig(options []StreamOption) streamConfig {
	config := streamConfig{silence: defaultSilence, onConnection: func(ConnectionChange) {}}
	for _, option := range options {
		option(&config)
	}
	return config
}

// stream is the messages of one call, of whatever method.
type stream[E any] struct {
	// receive returns the next message; nil: the stream ended, well or not, as err says.
	receive func() *E
	err     func() error
	close   func() error
}

func streamOf[R, E any](call *connect.ServerStreamForClient[R], message func(*R) *E) stream[E] {
	receive := func() *E {
		if !call.Receive() {
			return nil
		}
		return message(call.Msg())
	}
	return stream[E]{receive: receive, err: call.Err, close: call.Close}
}

// reading is something that is read over any number of calls, from where it is.
type reading[E any] interface {
	// open makes the next call, which ends with its context.
	open(ctx context.Context) (stream[E], error)
	// take takes what came. Its error is a failure of the call.
	take(message *E) (taken[E], error)
	// ended says that a call's stream ended well. It returns nil where that is the end, or why the call failed.
	ended() error
}

// taken is what a reading made of a message.
type taken[E any] struct {
	before *E // To deliver before fresh.
	fresh  *E // To deliver. Nil: nothing, or it was delivered before.
	isNew  bool
	isLast bool // Nothing can follow.
}

// resume reads to the end over as many calls as that takes. The last pair that it yields has an error where it fails. Leaving the
// loop, ctx and closing the client end the call and every wait at once.
func resume[E any](ctx context.Context, c *Client, r reading[E], config streamConfig) iter.Seq2[*E, error] {
	return func(yield func(*E, error) bool) {
		ctx, cancel := untilClosed(ctx, c.closed)
		defer cancel()
		out := newOutage(config.backOff, config.silence)
		for {
			isLeft, failure := readCall(ctx, r, out, config, yield)
			if isLeft || failure == nil {
				return
			}
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			retryIn, isWorthIt := out.failed(failure)
			if !isWorthIt {
				yield(nil, failure)
				return
			}
			// The next call would go into the same silence.
			if _, isSilence := failure.(*SilenceError); isSilence {
				c.drop()
			}
			config.onConnection(ConnectionChange{ConnectionLost, failure, retryIn, out.failures, out.isHeard})
			if !wait(ctx, retryIn) {
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}

// readCall reads one call. It returns whether the reader left, and why the call failed; nil where nothing can follow.
func readCall[E any](ctx context.Context, r reading[E], out *outage, config streamConfig, yield func(*E, error) bool) (isLeft bool, failure error) {
	// Without the caller's deadline: told of it, the server would end the stream a moment before the caller does.
	callCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	var isHeard atomic.Bool
	// Runs only while a message is waited for: the reader's own slowness is no silence of the server.
	silence := time.AfterFunc(config.silence, func() { cancel(&SilenceError{config.silence, !isHeard.Load()}) })
	defer silence.Stop()
	messages, err := r.open(callCtx)
	if err != nil {
		return false, causeOr(callCtx, err)
	}
	// Closing reads what is left, which a call that is canceled has not.
	defer func() {
		cancel(nil)
		_ = messages.close()
	}()
	for {
		silence.Reset(config.silence)
		message := messages.receive()
		silence.Stop()
		if message == nil {
			if err := messages.err(); err != nil || callCtx.Err() != nil {
				return false, causeOr(callCtx, err)
			}
			return false, r.ended()
		}
		isHeard.Store(true)
		got, err := r.take(message)
		if err != nil {
			return false, err
		}
		if out.heard(got.isNew) {
			config.onConnection(ConnectionChange{State: ConnectionBack})
		}
		if got.before != nil && !yield(got.before, nil) {
			return true, nil
		}
		if got.fresh != nil && !yield(got.fresh, nil) {
			return true, nil
		}
		if got.isLast {
			finish(messages, cancel)
			return false, nil
		}
	}
}

// finish reads to the end of a stream that has nothing more to tell, so that its connection can be used again.
func finish[E any](messages stream[E], cancel context.CancelCauseFunc) {
	defer time.AfterFunc(finishTimeout, func() { cancel(nil) }).Stop()
	for messages.receive() != nil {
	}
}

// causeOr returns why the call was ended from this side, and else err: connect-go makes an error of its own of the reason.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// wait reports false where ctx ended first.
func wait(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
