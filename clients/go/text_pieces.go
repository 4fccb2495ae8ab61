package breakglass

import (
	"bytes"
	"unicode/utf8"

	"breakglass.test/clients/go/breakglassv1"
)

// Far more than a server gives of a text that is being written.
const maxPieceCharacters = 1 << 20

// textPieces are the pieces of the text that the agent is writing, over connections: a new one begins with the whole text so
// far, and what of it was delivered before is not delivered again. What was delivered and is void is followed by a piece of
// another message id, which may be empty.
type textPieces struct {
	message    string // The id, as the server gave it last.
	hasMessage bool
	shown      string // The id as it was delivered.
	delivered  []byte
	characters int
	isFull     bool // More of the message than is delivered has come.
	repeated   []byte
	isRepeated bool // This connection has not yet brought all that the one before had.
}

// reconnect says that what comes next comes over another connection.
func (p *textPieces) reconnect() {
	p.repeated, p.isRepeated = nil, len(p.delivered) > 0
}

// isUnconfirmed reports whether pieces were delivered of which this connection has brought none.
func (p *textPieces) isUnconfirmed() bool { return p.isRepeated && len(p.repeated) == 0 }

// note takes note of a durable event: the agent's own text makes all pieces void.
func (p *textPieces) note(event *breakglassv1.TurnEvent) {
	if text := event.GetText(); text != nil && text.GetParentToolId() == "" {
		p.forget()
	}
}

// void returns the piece that says that what was delivered is void.
func (p *textPieces) void() *breakglassv1.TextDeltaEvent {
	piece := &breakglassv1.TextDeltaEvent{MessageId: p.otherID(p.message)}
	p.forget()
	return piece
}

// take makes of a piece what is to be delivered. It reports false where nothing of it is new.
func (p *textPieces) take(piece *breakglassv1.TextDeltaEvent) bool {
	text := piece.GetText()
	fresh := text
	switch {
	case !p.hasMessage || piece.GetMessageId() != p.message || text == "":
		p.begin(piece.GetMessageId())
	case p.isRepeated:
		p.repeated = append(p.repeated, text...)
		rest, isMore := bytes.CutPrefix(p.repeated, p.delivered)
		switch {
		case isMore:
			fresh = string(rest)
			p.repeated, p.isRepeated = nil, false
		case bytes.HasPrefix(p.delivered, p.repeated):
			return false
		default:
			fresh = string(p.repeated)
			p.begin(piece.GetMessageId())
		}
	}
	if fresh == "" && text != "" {
		return false
	}
	p.characters += utf8.RuneCountInString(fresh)
	p.isFull = p.isFull || p.characters > maxPieceCharacters
	if p.isFull {
		return false
	}
	p.delivered = append(p.delivered, fresh...)
	piece.MessageId, piece.Text = p.shown, fresh
	return true
}

func (p *textPieces) begin(message string) {
	shown := p.otherID(message)
	p.forget()
	p.message, p.hasMessage, p.shown = message, true, shown
}

// otherID makes a message's id differ from the one of what was delivered.
func (p *textPieces) otherID(message string) string {
	if len(p.delivered) > 0 && message == p.shown {
		return message + "@2"
	}
	return message
}

func (p *textPieces) forget() {
	*p = textPieces{shown: p.shown}
}
