package breakglass

import "breakglass.test/clients/go/breakglassv1"

// turnPlace is how far a turn was read, over any number of connections. It makes one stream of them: a durable event passes
// once, and only where it follows the one before; the checkpoint that opens a connection passes once, and so does the first
// that says caught_up; those that say that the server is there still, all pass.
type turnPlace struct {
	turnID     string // Empty until the server has told it.
	sequence   uint32 // Everything up to it was delivered, or was not asked for.
	isOpened   bool
	isCaughtUp bool
	isAtStart  bool
	isBehind   bool // This connection has not yet brought everything that there was when it began.
	pieces     textPieces
}

// reconnect says that what comes next comes over another connection.
func (p *turnPlace) reconnect() {
	p.isAtStart, p.isBehind = true, true
	p.pieces.reconnect()
}

// before returns what is to be delivered before an event that the server sent next, or nil. The text that is being written
// follows the checkpoint that says caught_up: where it does not, what the connection before brought of it is void.
func (p *turnPlace) before(event *breakglassv1.TurnEvent) *breakglassv1.TurnEvent {
	if p.isBehind || !p.pieces.isUnconfirmed() || event.GetTextDelta() != nil {
		return nil
	}
	return &breakglassv1.TurnEvent{
		TurnId:     event.GetTurnId(),
		SessionId:  event.GetSessionId(),
		CreateTime: event.GetCreateTime(),
		Kind:       &breakglassv1.TurnEvent_TextDelta{TextDelta: p.pieces.void()},
	}
}

// take takes what the server sent next, and reports whether it is to be delivered. The error is a *SequenceGapError.
func (p *turnPlace) take(event *breakglassv1.TurnEvent) (bool, error) {
	isAtStart := p.isAtStart
	p.isAtStart = false
	if p.turnID == "" {
		p.turnID = event.GetTurnId()
	}
	if checkpoint := event.GetCheckpoint(); checkpoint != nil {
		return p.passes(checkpoint, isAtStart)
	}
	if piece := event.GetTextDelta(); piece != nil {
		return p.pieces.take(piece), nil
	}
	sequence := event.GetSequence()
	switch {
	case sequence == 0:
		return true, nil
	case sequence <= p.sequence:
		return false, nil
	case sequence > p.sequence+1:
		return false, &SequenceGapError{Last: p.sequence, Came: sequence}
	}
	p.sequence = sequence
	p.pieces.note(event)
	return true, nil
}

func (p *turnPlace) passes(checkpoint *breakglassv1.CheckpointEvent, isAtStart bool) (bool, error) {
	isCaughtUp := checkpoint.GetCaughtUp()
	if isCaughtUp {
		p.isBehind = false
	}
	if checkpoint.GetSequence() > p.sequence {
		return false, &SequenceGapError{Last: p.sequence, Came: checkpoint.GetSequence() + 1}
	}
	isOpening := isAtStart && !p.isOpened
	isCatchingUp := isCaughtUp && !p.isCaughtUp
	isAlive := !isAtStart && !isCaughtUp
	p.isOpened = true
	p.isCaughtUp = p.isCaughtUp || isCaughtUp
	return isOpening || isCatchingUp || isAlive, nil
}

// endsTurn reports whether nothing of the turn can follow: its terminal event, or a checkpoint that says that it has ended.
func endsTurn(event *breakglassv1.TurnEvent) bool {
	if checkpoint := event.GetCheckpoint(); checkpoint != nil {
		return !isLive(checkpoint.GetState())
	}
	return event.GetResult() != nil || event.GetError() != nil
}

// isLive reports whether a turn in this state has no terminal event yet. A state that is unknown is taken for an end.
func isLive(state breakglassv1.TurnState) bool {
	switch state {
	case breakglassv1.TurnState_TURN_STATE_RUNNING,
		breakglassv1.TurnState_TURN_STATE_QUEUED,
		breakglassv1.TurnState_TURN_STATE_AWAITING_APPROVAL:
		return true
	default:
		return false
	}
}
