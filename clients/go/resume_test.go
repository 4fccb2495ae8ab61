package breakglass_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

type events = []*breakglassv1.TurnEvent

func TestOneStreamIsMadeOfManyCalls(t *testing.T) {
	cut := status(connect.CodeUnavailable)
	for name, script := range map[string]struct {
		answers []answer
		want    []string
		after   uint32 // Where the second call attaches.
	}{
		"what comes twice is delivered once": {
			[]answer{
				{events{checkpoint(0, false), text(1, "a"), text(2, "b"), checkpoint(2, true)}, cut},
				{events{checkpoint(2, false), text(2, "b"), text(3, "c"), checkpoint(3, true), checkpoint(3, false), result(4)}, nil},
			},
			[]string{"checkpoint", "a", "b", "caught up", "c", "checkpoint", "result"},
			2,
		},
		"a stream that ends with OK before its turn is tried again": {
			[]answer{{events{checkpoint(0, false), text(1, "a")}, nil}, {events{checkpoint(1, false), result(2)}, nil}},
			[]string{"checkpoint", "a", "result"},
			1,
		},
		"a gap is tried again once": {
			[]answer{{events{checkpoint(0, false), text(2, "b")}, nil}, {events{checkpoint(0, false), text(1, "a"), result(2)}, nil}},
			[]string{"checkpoint", "a", "result"},
			0,
		},
		"a checkpoint that is ahead is a gap": {
			[]answer{{events{checkpoint(0, false), checkpoint(1, true)}, nil}, {events{checkpoint(0, false), text(1, "a"), result(2)}, nil}},
			[]string{"checkpoint", "a", "result"},
			0,
		},
		"unknown kinds pass, and count": {
			[]answer{{events{checkpoint(0, false), unknown(1), unknown(0)}, cut}, {events{checkpoint(1, false), unknown(1), result(2)}, nil}},
			[]string{"checkpoint", "unknown", "unknown", "result"},
			1,
		},
		"a turn is over with its terminal event, whatever the status": {
			[]answer{{events{checkpoint(0, false), result(1)}, status(connect.CodeInternal)}},
			[]string{"checkpoint", "result"},
			0,
		},
		"pieces go on where they were": {
			[]answer{
				{events{checkpoint(0, false), checkpoint(0, true), piece("m", "one "), piece("m", "two")}, cut},
				{events{checkpoint(0, false), checkpoint(0, true), piece("m", "one t"), piece("m", "wo three"), piece("m", "!"), text(1, "t"), result(2)}, nil},
			},
			[]string{"checkpoint", "caught up", "m+one ", "m+two", "m+ three", "m+!", "t", "result"},
			0,
		},
		"pieces of another text have another id": {
			[]answer{
				{events{checkpoint(0, false), checkpoint(0, true), piece("m", "one")}, cut},
				{events{checkpoint(0, false), checkpoint(0, true), piece("m", "two"), result(1)}, nil},
			},
			[]string{"checkpoint", "caught up", "m+one", "m@2+two", "result"},
			0,
		},
		"pieces that are gone are made void": {
			[]answer{
				{events{checkpoint(0, false), checkpoint(0, true), piece("m", "one")}, cut},
				{events{checkpoint(0, false), checkpoint(0, true), checkpoint(0, false), piece("m", "new"), result(1)}, nil},
			},
			[]string{"checkpoint", "caught up", "m+one", "m@2+", "checkpoint", "m+new", "result"},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := startScriptServer(t, script.answers...)
			run := &breakglassv1.RunTurnRequest{Prompt: "x", TextDeltas: true}
			if got := shapes(read(t, client.StreamTurn(testContext(t), run, atOnce))); !slices.Equal(got, script.want) {
				t.Errorf("what came is %q, and not %q", got, script.want)
			}
			if len(server.runs) != 1 || len(server.attaches) != len(script.answers)-1 {
				t.Errorf("there were %d starts and %d attaches", len(server.runs), len(server.attaches))
			}
			for _, attach := range server.attaches {
				if attach.GetTurnId() != scriptedTurnID || attach.GetAfterSequence() != script.after || !attach.GetTextDeltas() {
					t.Errorf("it attached by %v", attach)
				}
			}
		})
	}
}

func TestFailuresAreTriedAsOftenAsTheyAreWorth(t *testing.T) {
	ok := answer{events{checkpoint(0, false), result(1)}, nil}
	gap := answer{events{checkpoint(0, false), text(5, "x")}, nil}
	for name, failure := range map[string]struct {
		answer answer
		calls  int // How many fail before it is given up; 0: it is not, in twenty.
	}{
		"UNAVAILABLE":         {answer{err: status(connect.CodeUnavailable)}, 0},
		"DEADLINE_EXCEEDED":   {answer{err: status(connect.CodeDeadlineExceeded)}, 0},
		"ABORTED":             {answer{err: status(connect.CodeAborted)}, 0},
		"CANCELLED":           {answer{err: status(connect.CodeCanceled)}, 0},
		"RetryInfo":           {answer{err: askedToWait(time.Millisecond)}, 0},
		"cut with OK":         {answer{}, 0},
		"INTERNAL":            {answer{err: status(connect.CodeInternal)}, 6},
		"UNKNOWN":             {answer{err: status(connect.CodeUnknown)}, 6},
		"a gap":               {gap, 2},
		"RESOURCE_EXHAUSTED":  {answer{err: status(connect.CodeResourceExhausted)}, 1},
		"FAILED_PRECONDITION": {answer{err: status(connect.CodeFailedPrecondition)}, 1},
		"DATA_LOSS":           {answer{err: status(connect.CodeDataLoss)}, 1},
		"UNIMPLEMENTED":       {answer{err: status(connect.CodeUnimplemented)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := startScriptServer(t, append(slices.Repeat([]answer{failure.answer}, 20), ok)...)
			var last error
			for _, last = range client.StreamTurn(testContext(t), script("x"), atOnce) {
			}
			calls := len(server.runs) + len(server.attaches)
			if failure.calls == 0 && (last != nil || calls != 21) {
				t.Errorf("after %d calls comes %v", calls, last)
			}
			if failure.calls > 0 && (last == nil || calls != failure.calls) {
				t.Errorf("after %d calls comes %v", calls, last)
			}
			for _, run := range server.runs {
				if run.GetRequestId() == "" || run.GetRequestId() != server.runs[0].GetRequestId() {
					t.Errorf("a start has the request_id %q", run.GetRequestId())
				}
			}
		})
	}
}

func TestServerIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	_, client := startScriptServer(t, answer{err: askedToWait(300 * time.Millisecond)}, answer{events{checkpoint(0, false), result(1)}, nil})
	begun := time.Now()
	read(t, client.StreamTurn(testContext(t), script("x"), atOnce))
	if waited := time.Since(begun); waited < 300*time.Millisecond {
		t.Errorf("it came back after %v", waited)
	}
	_, client = startScriptServer(t, answer{err: askedToWait(time.Hour)})
	var last error
	for _, last = range client.StreamTurn(testContext(t), script("x"), atOnce) {
	}
	var failure *connect.Error
	if !errors.As(last, &failure) || failure.Code() != connect.CodeResourceExhausted {
		t.Errorf("a wait that is too long ends by %v", last)
	}
}

func TestGapThatStaysIsTold(t *testing.T) {
	gap := answer{events{checkpoint(0, false), text(1, "a"), text(4, "d")}, nil}
	_, client := startScriptServer(t, gap, answer{events{checkpoint(1, false), text(4, "d")}, nil})
	var last error
	for _, last = range client.StreamTurn(testContext(t), script("x"), atOnce) {
	}
	var told *breakglass.SequenceGapError
	if !errors.As(last, &told) || told.Last != 1 || told.Came != 4 {
		t.Errorf("the stream ends by %v", last)
	}
}

func TestPagesOfAProxyAreNoAnswers(t *testing.T) {
	server, client := startScriptServer(t, answer{events{checkpoint(0, false), result(1)}, nil})
	server.pages = slices.Repeat([]int{500, 502}, 8)
	read(t, client.StreamTurn(testContext(t), script("x"), atOnce))
	if len(server.runs) != 1 {
		t.Errorf("there were %d starts", len(server.runs))
	}
	for page, code := range map[int]connect.Code{401: connect.CodeUnauthenticated, 403: connect.CodePermissionDenied, 404: connect.CodeUnimplemented} {
		server.pages = []int{page, page}
		if err := refusalOf(t, client, script("x")); connect.CodeOf(err) != code {
			t.Errorf("HTTP %d ends it by %v", page, err)
		}
	}
}
