package breakglass

import (
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Reason says why the server refused a call. A server that is newer may give others than those below.
type Reason string

// What a server refuses a call for. docs/api.md of the repository says when, and which metadata come with it.
const (
	ReasonInvalidArgument       Reason = "INVALID_ARGUMENT"
	ReasonNotFound              Reason = "NOT_FOUND"
	ReasonOutOfRange            Reason = "OUT_OF_RANGE"
	ReasonTurnInProgress        Reason = "TURN_IN_PROGRESS"
	ReasonTurnEnded             Reason = "TURN_ENDED"
	ReasonInterruptNotObeyed    Reason = "INTERRUPT_NOT_OBEYED"
	ReasonApprovalNotFound      Reason = "APPROVAL_NOT_FOUND"
	ReasonApprovalResolved      Reason = "APPROVAL_RESOLVED"
	ReasonApprovalExpired       Reason = "APPROVAL_EXPIRED"
	ReasonSelfApprovalForbidden Reason = "SELF_APPROVAL_FORBIDDEN"
	ReasonRoleMissing           Reason = "ROLE_MISSING"
	ReasonNotAllowed            Reason = "NOT_ALLOWED"
	ReasonBypassForbidden       Reason = "BYPASS_FORBIDDEN"
	ReasonTooManyTurns          Reason = "TOO_MANY_TURNS"
	ReasonTooManySubscriptions  Reason = "TOO_MANY_SUBSCRIPTIONS"
	ReasonTooManyRequests       Reason = "TOO_MANY_REQUESTS"
	ReasonBodyTimeout           Reason = "BODY_TIMEOUT"
	ReasonSessionFull           Reason = "SESSION_FULL"
	ReasonSpendingLimit         Reason = "SPENDING_LIMIT"
	ReasonQuotaExceeded         Reason = "QUOTA_EXCEEDED"
	ReasonAgentKindMismatch     Reason = "AGENT_KIND_MISMATCH"
	ReasonAgentKindNotServed    Reason = "AGENT_KIND_NOT_SERVED"
	ReasonUnsupportedByAgent    Reason = "UNSUPPORTED_BY_AGENT"
	ReasonRequestIDReused       Reason = "REQUEST_ID_REUSED"
	ReasonUnauthenticated       Reason = "UNAUTHENTICATED"
	ReasonOriginNotAllowed      Reason = "ORIGIN_NOT_ALLOWED"
	ReasonAgentNotAllowed       Reason = "AGENT_NOT_ALLOWED"
	ReasonDraining              Reason = "DRAINING"
	ReasonStreamEnded           Reason = "STREAM_ENDED"
	ReasonStorage               Reason = "STORAGE"
	ReasonDataLoss              Reason = "DATA_LOSS"
	ReasonFenced                Reason = "FENCED"
	ReasonSessionElsewhere      Reason = "SESSION_ELSEWHERE"
)

// ErrorInfo is what the server says of a refusal beside its code and message.
type ErrorInfo struct {
	// Reason says why.
	Reason Reason
	// Metadata names what the reason is about, such as turn_id. May be nil.
	Metadata map[string]string
	// RetryAfter is how long the server asks to be left alone. 0: it does not say.
	RetryAfter time.Duration
	// Violations tell what is wrong with which field of the request, by the field's name. May be nil.
	Violations map[string]string
}

// InfoOf returns what the server said of the refusal that an error is, or wraps. It reports false for every other error, such
// as a connection that broke.
func InfoOf(err error) (ErrorInfo, bool) {
	var info ErrorInfo
	found := false
	for _, detail := range detailsOf(err) {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() != "breakglass" {
				continue
			}
			found = true
			info.Reason, info.Metadata = Reason(detail.GetReason()), detail.GetMetadata()
		case *errdetails.RetryInfo:
			info.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			info.Violations = make(map[string]string, len(detail.GetFieldViolations()))
			for _, violation := range detail.GetFieldViolations() {
				info.Violations[violation.GetField()] = violation.GetDescription()
			}
		}
	}
	return info, found
}

// ReasonOf returns why the server refused, and the empty text where an error is no refusal of the server's.
func ReasonOf(err error) Reason {
	info, _ := InfoOf(err)
	return info.Reason
}

func detailsOf(err error) []any {
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return nil
	}
	var details []any
	for _, detail := range failure.Details() {
		if value, err := detail.Value(); err == nil {
			details = append(details, value)
		}
	}
	return details
}

// ErrStreamCut is the failure of a stream that ended well, though what it tells of has not: something in between cut it.
var ErrStreamCut = errors.New("breakglass: the stream ended before its turn")

// SilenceError is the failure of a call on which nothing was heard for longer than a server is ever silent.
type SilenceError struct {
	// Silence is how long nothing was heard.
	Silence time.Duration
	// First tells that the call had brought nothing at all.
	First bool
}

func (e *SilenceError) Error() string {
	hint := ""
	if e.First {
		hint = ": a proxy in between may be holding the answer back"
	}
	return fmt.Sprintf("breakglass: nothing was heard for %v%s", e.Silence, hint)
}

// SequenceGapError is the failure of a call on which the server sent an event, or said it had, that does not follow the one
// before it.
type SequenceGapError struct {
	// Last is the sequence of the event that was delivered last.
	Last uint32
	// Came is the sequence that came instead of the one after it.
	Came uint32
}

func (e *SequenceGapError) Error() string {
	return fmt.Sprintf("breakglass: the server went on with event %d after %d: what is between them is missing", e.Came, e.Last)
}
