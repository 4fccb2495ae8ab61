package breakglass

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"breakglass.test/clients/go/breakglassv1"
)

// StreamTurn starts a turn and streams it to its end over as many connections as that takes: every durable event once and in
// order, from the first to the terminal one. Kinds that are unknown pass too. The request is not changed.
//
// A request without a request_id gets one, so that a start whose answer was lost is joined, and never run twice.
//
// Events that are not durable read as of one stream too: of the checkpoints that open a connection only the first is
// delivered, and caught_up is said once. With text_deltas the pieces of one message join to the text so far over connections
// too. They have no place of their own, and the text that follows is what counts.
//
// Leaving the loop, and ctx, end the reading at once, and never the turn. A deadline of ctx is one of the reading.
//
// The last pair has an error where the stream fails: a *connect.Error where the server refuses for good (see [InfoOf]) or was not
// reached for as long as the [BackOff] says; likewise [ErrStreamCut], *[SilenceError] and *[SequenceGapError]; the cause of ctx
// where that ends. A turn that fails is none: its error is an event.
//
// Each range over it starts a turn of its own, unless the request has a request_id.
func (c *Client) StreamTurn(ctx context.Context, request *breakglassv1.RunTurnRequest, options ...StreamOption) iter.Seq2[*breakglassv1.TurnEvent, error] {
	return func(yield func(*breakglassv1.TurnEvent, error) bool) {
		run := proto.CloneOf(request)
		if run == nil {
			run = &breakglassv1.RunTurnRequest{}
		}
		if run.RequestId == "" {
			run.RequestId = randomUUID()
		}
		if _, err := proto.Marshal(run); err != nil {
			yield(nil, connect.NewError(connect.CodeInvalidArgument, err))
			return
		}
		reading := &turnReading{client: c, run: run, textDeltas: run.TextDeltas}
		resume(ctx, c, reading, newStreamConfig(options))(yield)
	}
}

// AttachTurn streams a turn that was started before, running or ended, from after request.AfterSequence, as [Client.StreamTurn]
// does. Of a turn that had ended before it ends after what is left of it, and after a checkpoint with its state where that is
// nothing.
func (c *Client) AttachTurn(ctx context.Context, request *breakglassv1.AttachTurnRequest, options ...StreamOption) iter.Seq2[*breakglassv1.TurnEvent, error] {
	return func(yield func(*breakglassv1.TurnEvent, error) bool) {
		reading := &turnReading{
			client:     c,
			place:      turnPlace{turnID: request.GetTurnId(), sequence: request.GetAfterSequence()},
			textDeltas: request.GetTextDeltas(),
		}
		resume(ctx, c, reading, newStreamConfig(options))(yield)
	}
}

// turnReading makes the start until the turn's id is known, and then goes on from where it is.
type turnReading struct {
	client     *Client
	run        *breakglassv1.RunTurnRequest // Nil: the turn was started before.
	place      turnPlace
	textDeltas bool
	// A turn that had ended is said to have, and then read: only the stream's end tells that nothing follows.
	hadEnded bool
}

func (r *turnReading) open(ctx context.Context) (stream[breakglassv1.TurnEvent], error) {
	r.hadEnded = false
	r.place.reconnect()
	if r.run != nil && r.place.turnID == "" {
		call, err := r.client.Service.RunTurn(ctx, connect.NewRequest(r.run))
		if err != nil {
			return stream[breakglassv1.TurnEvent]{}, err
		}
		return streamOf(call, eventOf[*breakglassv1.RunTurnResponse]), nil
	}
	call, err := r.client.Service.AttachTurn(ctx, connect.NewRequest(&breakglassv1.AttachTurnRequest{
		TurnId:        r.place.turnID,
		AfterSequence: r.place.sequence,
		TextDeltas:    r.textDeltas,
	}))
	if err != nil {
		return stream[breakglassv1.TurnEvent]{}, err
	}
	return streamOf(call, eventOf[*breakglassv1.AttachTurnResponse]), nil
}

// eventOf is never nil: a message without an event is a sign of life.
func eventOf[R interface {
	GetEvent() *breakglassv1.TurnEvent
}](response R) *breakglassv1.TurnEvent {
	if event := response.GetEvent(); event != nil {
		return event
	}
	return noEvent
}

var noEvent = &breakglassv1.TurnEvent{}

func (r *turnReading) take(event *breakglassv1.TurnEvent) (taken[breakglassv1.TurnEvent], error) {
	var got taken[breakglassv1.TurnEvent]
	if event == noEvent {
		return got, nil
	}
	before := r.place.sequence
	got.before = r.place.before(event)
	isFresh, err := r.place.take(event)
	if err != nil {
		return got, err
	}
	if isFresh {
		got.fresh = event
	}
	r.hadEnded = endsTurn(event)
	got.isNew = r.place.sequence > before
	got.isLast = r.hadEnded && event.GetSequence() > 0
	return got, nil
}

func (r *turnReading) ended() error {
	if r.hadEnded {
		return nil
	}
	return ErrStreamCut
}

// randomUUID returns one of version 4.
func randomUUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // It never fails.
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
