package breakglass

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// BackOff says how long to wait before each try, and when to give up. What is 0 is as in [DefaultBackOff].
type BackOff struct {
	// First is the wait before the first try; each further one is twice as long.
	First time.Duration
	// Longest bounds each wait, unless the server asks for more.
	Longest time.Duration
	// GiveUp is how long to keep trying a server that was heard before.
	GiveUp time.Duration
	// FirstGiveUp is how long to keep trying one that was never heard; at least three silences where it takes a call and
	// says nothing.
	FirstGiveUp time.Duration
}

// DefaultBackOff holds where nothing else is asked for.
var DefaultBackOff = BackOff{
	First:       250 * time.Millisecond,
	Longest:     10 * time.Second,
	GiveUp:      10 * time.Minute,
	FirstGiveUp: 30 * time.Second,
}

const (
	// Which part of each wait is left to chance, so that not all readers of a server come back at once.
	jitter = 0.5
	// A server that was never heard is given so many silences: the calls behind the first one may be answered.
	firstSilences   = 3
	unlimited       = math.MaxInt
	doubtfulRetries = 5
	gapRetries      = 1
)

func (b BackOff) orDefault() BackOff {
	fill := func(value *time.Duration, standard time.Duration) {
		if *value == 0 {
			*value = standard
		}
	}
	fill(&b.First, DefaultBackOff.First)
	fill(&b.Longest, DefaultBackOff.Longest)
	fill(&b.GiveUp, DefaultBackOff.GiveUp)
	fill(&b.FirstGiveUp, DefaultBackOff.FirstGiveUp)
	return b
}

// outage tells whether there is a connection, for how long there has been none, and when to try again.
type outage struct {
	backOff        BackOff
	silence        time.Duration
	isHeard        bool
	wasSilent      bool      // A call was taken, and nothing was said.
	since          time.Time // Since when nothing is heard, or was noticed not to be; zero while there is a connection.
	isLost         bool
	connectedSince time.Time
	failures       int // Without progress.
	doubtful       int // Those of them that are only worth so many tries.
}

func newOutage(backOff BackOff, silence time.Duration) *outage {
	return &outage{backOff: backOff.orDefault(), silence: silence, since: time.Now()}
}

// heard takes note of a message, which is new where it tells what was not read before. It reports whether it is the first after
// a failure.
func (o *outage) heard(isNew bool) (isBack bool) {
	isBack = o.isLost
	if !o.since.IsZero() {
		o.connectedSince = time.Now()
	}
	// A turn can be silent for long: a connection that held is progress too.
	if isNew || time.Since(o.connectedSince) > o.backOff.Longest {
		o.failures, o.doubtful = 0, 0
	}
	o.since, o.isLost, o.isHeard = time.Time{}, false, true
	return isBack
}

// failed takes note of a call that failed. It returns after how long to try again, and false where that is of no use.
func (o *outage) failed(err error) (time.Duration, bool) {
	now := time.Now()
	// From when it is noticed: a machine that slept through an outage has not tried for so long.
	if o.since.IsZero() {
		o.since = now
	}
	o.isLost = true
	var silence *SilenceError
	o.wasSilent = o.wasSilent || errors.As(err, &silence)
	retries, least := retriesOf(err)
	if retries < unlimited {
		if o.doubtful++; o.doubtful > retries {
			return 0, false
		}
	}
	left := o.giveUp() - now.Sub(o.since)
	if left <= 0 || least > left {
		return 0, false
	}
	grown := o.backOff.Longest
	// Beyond that it is longer than any wait, and then too large for a number.
	if o.failures < 32 {
		grown = min(grown, o.backOff.First<<o.failures)
	}
	o.failures++
	delay := time.Duration(float64(grown) * (1 - jitter*rand.Float64()))
	return max(min(delay, left), least), true
}

func (o *outage) giveUp() time.Duration {
	switch {
	case o.isHeard:
		return o.backOff.GiveUp
	case o.wasSilent:
		return max(o.backOff.FirstGiveUp, firstSilences*o.silence)
	default:
		return o.backOff.FirstGiveUp
	}
}

// retriesOf tells how many times in a row, without progress, it is worth to try again after a failure, and for how long the
// server asked to be left alone. Whom an error comes from decides before its code does: a broken connection is given nearly
// every code that a server has for a refusal.
func retriesOf(err error) (retries int, least time.Duration) {
	var gap *SequenceGapError
	if errors.As(err, &gap) {
		return gapRetries, 0
	}
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return unlimited, 0
	}
	for _, detail := range detailsOf(err) {
		if retry, ok := detail.(*errdetails.RetryInfo); ok && retry.GetRetryDelay() != nil {
			return unlimited, retry.GetRetryDelay().AsDuration()
		}
	}
	if connect.IsWireError(err) {
		return retriesOfAnswer(failure.Code()), 0
	}
	return retriesOfTransport(failure.Code()), 0
}

// retriesOfAnswer is for what a server said, or a proxy that speaks its protocol.
func retriesOfAnswer(code connect.Code) int {
	switch code {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeAborted, connect.CodeCanceled:
		return unlimited
	case connect.CodeInternal, connect.CodeUnknown:
		return doubtfulRetries
	default:
		return 0
	}
}

// retriesOfTransport is for what connect-go made of an answer or a connection that was none.
func retriesOfTransport(code connect.Code) int {
	switch code {
	case connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeUnimplemented:
		return 0
	case connect.CodeResourceExhausted:
		return doubtfulRetries
	default:
		return unlimited
	}
}
