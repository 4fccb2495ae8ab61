#!/usr/bin/env perl
# Takes the Claude Code CLI's place where a fault is brought about a thousand times: up in 10 ms. The same arguments, input
# and files; the prompt is a program, a step a line. Like the CLI it exits where it is interrupted or has no more input to
# come, unless it was told to be deaf. Its path names the test, so that whoever it leaves behind is found by its arguments.
use strict;
use warnings;
use Fcntl;
use POSIX ();
use Time::HiRes qw(time);

my $test = $0;
my %options = map { $ARGV[$_] => $ARGV[ $_ + 1 ] } grep { $ARGV[$_] =~ /^--(resume|session-id)$/ } 0 .. $#ARGV - 1;
my $session = $options{'--resume'} // $options{'--session-id'} // '';
my $projects = "$ENV{HOME}/.claude/projects/scripted";
my $record = "$projects/$session.jsonl";
my $deaf = 0;

if (defined $options{'--resume'} && !-e $record) {
    print STDERR "No conversation found with session ID: $session\n";
    line(qq({"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found with session ID: $session"],"session_id":"$session","num_turns":0}));
    exit 1;
}
if (defined $options{'--session-id'} && -e $record) {
    print STDERR "Error: Session ID $session is already in use.\n";
    exit 1;
}

my $input = readline_unbuffered();
my ($prompt) = $input =~ /"text":"((?:[^"\\]|\\.)*)"/;
$prompt =~ s/\\n/\n/g;
my @steps = map { [ split ' ', $_, 2 ] } split /\n/, $prompt;

# Each step by its verb; what follows on its line is its argument.
my %step = (
    # TOKEN: a line that says that it was started, and as which process, in a file that outlives it.
    count => sub { append("$ENV{HOME}/starts", "$_[0] $$\n") },
    # TOKEN NUMBER MILLISECONDS: so many texts, with so much time after each.
    say => sub {
        my ($token, $number, $pause) = split ' ', $_[0];
        for my $n (1 .. $number) { say_text("$token $n"); rest($pause / 1000) }
    },
    # TOKEN NUMBER BYTES: so many texts of so many bytes, as fast as they are taken.
    pour => sub {
        my ($token, $number, $bytes) = split ' ', $_[0];
        say_text("$token $_ " . 'x' x $bytes) for 1 .. $number;
    },
    # PATH TOKEN MILLISECONDS: texts, with so much time after each, until the file exists.
    until => sub {
        my ($path, $token, $pause) = split ' ', $_[0];
        for (my $n = 1; !-e $path; $n++) { say_text("$token $n"); rest($pause / 1000) }
    },
    # Goes on once the file exists.
    wait => sub { rest(0.003) until -e $_[0] },
    hang => sub { rest(3600) while 1 },
    # Nothing that asks or tells it to end is heeded any more.
    deaf => sub { $deaf = 1; $SIG{$_} = 'IGNORE' for qw(TERM INT HUP) },
    # A child that stays one, and does not heed SIGTERM.
    child => sub { my $child = fork() // die; become_deaf_sleeper() if $child == 0 },
    # A grandchild that does not heed SIGTERM, in a session of its own, its parent gone.
    orphan => sub { twice_forked(\&become_deaf_sleeper) },
    # The same, with nothing left in its environment.
    stranger => sub { twice_forked(sub { %ENV = (); become_deaf_sleeper() }) },
    # The same, but it holds the agent's stdout and stderr open.
    holder => sub { twice_forked(sub { sleep_deaf() }) },
    # GENERATIONS: processes that end as soon as each has a child, and every eighth time have two: a bounded fork bomb.
    multiply => sub { multiply($_[0]) },
    # BYTES: a line without an end, on stdout; lines, on stderr.
    floodStdout => sub { flood(*STDOUT, 'x' x 65536, $_[0]) },
    floodStderr => sub { flood(*STDERR, ('x' x 1023 . "\n") x 64, $_[0]) },
    endLine => sub { line('') },
    # NAME: a tool call of that id, without an answer.
    call => sub { line(assistant(qq({"type":"tool_use","id":"toolu_$_[0]","name":"Bash","input":{}}))) },
    # DEPTH: a tool call whose input is nested so deep.
    deep => sub {
        my $depth = $_[0];
        my $nested = '{"a":' x $depth . 1 . '}' x $depth;
        line(qq({"type":"assistant","message":{"id":"msg_1","content":[{"type":"tool_use","id":"toolu_deep","name":"Deep","input":$nested}]}}));
    },
    result => sub { result() },
    # PATH MILLISECONDS: what time it is, as a text, each so many milliseconds until the file exists.
    clock => sub {
        my ($path, $pause) = split ' ', $_[0];
        until (-e $path) { say_text(sprintf '%.3f', time * 1000); rest($pause / 1000) }
    },
    pause => sub { rest($_[0] / 1000) },
    # PATH: leaves a file.
    sign => sub { append($_[0], '') },
    # SORT COUNT: so many lines of a sort that a server might keep something of.
    hoard => sub {
        my ($sort, $count) = split ' ', $_[0];
        my $print = $main::hoard{$sort} or die "no sort is called $sort\n";
        $print->($_) for 1 .. $count;
    },
);

# Each sort of line by its name; it is given the line's number.
our %hoard = (
    toolResult => sub { line(qq({"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"toolu_$_[0]","content":") . fill(20) . qq("}]},"parent_tool_use_id":"toolu_background"})) },
    taskId => sub { line(qq({"type":"system","subtype":"task_started","description":"d","task_id":"$_[0]) . fill(16) . '"}') },
    approval => sub { ask("r$_[0]", 'Bash', '{"command":"' . fill(25) . '"}') },
    smallApproval => sub { ask("r$_[0]", 'Bash', '{"command":"' . 'x' x 2_000_000 . '"}') },
    approvalName => sub { ask("r$_[0]", "Bash$_[0]" . fill(16), '{}') },
    approvalId => sub { ask("r$_[0]" . fill(16), 'Bash', '{}') },
    withdrawal => sub {
        ask("r$_[0]", 'Bash', '{}');
        line(qq({"type":"control_cancel_request","request_id":"r$_[0]"}));
    },
    request => sub { line(qq({"type":"control_request","request_id":"r$_[0]) . 'x' x 180 . '","request":{"subtype":"nosuch"}}') },
    largeRequest => sub { line(qq({"type":"control_request","request_id":"r$_[0]","request":{"subtype":"nosuch) . fill(16) . '"}}') },
    endless => sub { put(*STDOUT, 'x' x 65536) },
    overlong => sub { line(fill(40)) },
    malformed => sub { line('{' . fill(20)) },
    toolId => sub { line(assistant(qq({"type":"tool_use","id":"toolu_$_[0]) . fill(16) . '","name":"Bash","input":{}}')) },
    tool => sub { line(assistant(qq({"type":"tool_use","id":"toolu_$_[0]","name":"Bash","input":{}}))) },
    messageId => sub {
        my $id = "msg_$_[0]" . fill(16);
        line(qq({"type":"stream_event","event":{"type":"message_start","message":{"id":"$id"}}}));
        line(assistant('{"type":"text","text":"x"}', $id));
    },
    denials => sub {
        my $denial = '{"tool_name":"Bash","tool_use_id":"t","tool_input":{"command":"' . fill(20) . '"}}';
        line(qq({"type":"result","subtype":"success","result":"x","origin":{"kind":"task-notification"},"permission_denials":[$denial]}));
    },
    blocks => sub { line(assistant(join ',', (qq({"type":"text","text":") . fill(2) . '"}') x 14)) },
    values => sub { line('{"type":"user","x":[' . '[],' x 10_000_000 . '1]}') },
    numbers => sub { line(assistant('{"type":"tool_use","id":"t","name":"Bash","input":{"n":[' . '1.0,' x 900_000 . '1]}}')) },
    small => sub { say_text("small $_[0]") },
    init => sub { line(qq({"type":"system","subtype":"init","session_id":"$session","model":") . fill(8) . '","claude_code_version":"' . fill(8) . '","tools":["' . fill(8) . '"]}') },
    echo => sub { line('{"type":"user","isReplay":true,"uuid":"' . fill(20) . '","message":{"content":[]}}') },
    notice => sub { line(qq({"type":"system","subtype":"informational","content":") . fill(20) . '"}') },
    delta => sub {
        line(qq({"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_d"}}})) if $_[0] == 1;
        line(qq({"type":"stream_event","event":{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}})) if $_[0] == 1;
        line(qq({"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}}));
        line(qq({"type":"system","subtype":"informational","content":"n"})) if $_[0] % 4 == 0;
    },
);

mkdir $_ for "$ENV{HOME}/.claude", "$ENV{HOME}/.claude/projects", $projects;
append($record, "{}\n");
line(qq({"type":"system","subtype":"init","session_id":"$session","model":"scripted-model","claude_code_version":"0.0.1"}));
for my $step (@steps) {
    my ($verb, $argument) = @$step;
    my $take = $step{$verb} or die "no step is called $verb\n";
    $take->($argument // '');
}
result() unless grep { $_->[0] eq 'result' } @steps;

sub say_text {
    my ($text) = @_;
    line(qq({"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"scripted-model","content":[{"type":"text","text":"$text"}],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":5}},"parent_tool_use_id":null,"session_id":"$session"}));
}

sub assistant {
    my ($blocks, $id) = @_;
    $id //= 'msg_1';
    return qq({"type":"assistant","message":{"id":"$id","role":"assistant","model":"scripted-model","content":[$blocks],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":5}},"parent_tool_use_id":null,"session_id":"$session"});
}

sub ask {
    my ($id, $name, $input) = @_;
    line(qq({"type":"control_request","request_id":"$id","request":{"subtype":"can_use_tool","tool_name":"$name","input":$input,"tool_use_id":"t"}}));
}

# So many MB.
sub fill { return 'x' x ($_[0] * 1_000_000) }

sub result {
    line(qq({"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"$session","duration_ms":12,"num_turns":1,"stop_reason":"end_turn","total_cost_usd":0.25,"usage":{"input_tokens":20,"output_tokens":10}}));
}

sub line { put(*STDOUT, "$_[0]\n") }

sub put {
    my ($handle, $bytes) = @_;
    for (my $done = 0; $done < length $bytes;) {
        my $written = syswrite $handle, $bytes, length($bytes) - $done, $done;
        if (defined $written) { $done += $written }
        elsif (!$!{EINTR}) { POSIX::_exit(1) }
    }
}

sub append {
    my ($path, $text) = @_;
    sysopen my $file, $path, O_WRONLY | O_APPEND | O_CREAT or die "$path: $!";
    syswrite $file, $text;
}

sub flood {
    my ($handle, $chunk, $bytes) = @_;
    for (my $left = $bytes; $left > 0; $left -= length $chunk) {
        put($handle, $left < length $chunk ? substr($chunk, 0, $left) : $chunk);
    }
}

# Waits, and ends where stdin asks for it or is over, unless it is deaf.
sub rest {
    my ($seconds) = @_;
    my $end = time + $seconds;
    while ((my $left = $end - time) > 0) {
        my $ready = '';
        vec($ready, 0, 1) = 1 unless $deaf;
        next unless select($ready, undef, undef, $left) > 0;
        my $read = sysread STDIN, my $more, 65536;
        exit 0 unless $read;
        next unless $more =~ /"interrupt"/;
        line(qq({"type":"result","subtype":"error_during_execution","is_error":true,"errors":["interrupted"],"session_id":"$session","num_turns":0}));
        exit 0;
    }
}

sub readline_unbuffered {
    my $read = '';
    until ($read =~ /\n/) { sysread STDIN, $read, 65536, length $read or exit 0 }
    return $read;
}

sub twice_forked {
    my ($become) = @_;
    my $child = fork() // die;
    if ($child == 0) {
        POSIX::setsid();
        my $grandchild = fork() // die;
        POSIX::_exit(0) if $grandchild;
        $become->();
    }
    waitpid $child, 0;
}

sub become_deaf_sleeper {
    open $_, '+<', '/dev/null' for *STDIN, *STDOUT, *STDERR;
    sleep_deaf();
}

# Found by the path of the test and the conversation's id among its arguments, as the agent itself is.
sub sleep_deaf {
    chdir '/';
    my $sleeper = q($SIG{$_} = 'IGNORE' for qw(TERM INT HUP); sleep 1 for 1 .. 120);
    exec($^X, '-e', $sleeper, $test, $session) or POSIX::_exit(1);
}

sub multiply {
    my ($generations) = @_;
    twice_forked(sub {
        open $_, '+<', '/dev/null' for *STDIN, *STDOUT, *STDERR;
        $SIG{$_} = 'IGNORE' for qw(TERM INT HUP);
        for my $generation (1 .. $generations) {
            fork() // last if $generation % 8 == 0;
            select undef, undef, undef, 0.02;
            my $child = fork() // last;
            # The parent ends and the child goes on: whoever looks finds another process each time.
            POSIX::_exit(0) if $child;
        }
        sleep 1 for 1 .. 60;
        POSIX::_exit(0);
    });
}
