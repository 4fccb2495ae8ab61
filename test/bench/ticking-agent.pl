#!/usr/bin/env perl
# An agent that says the time (CLOCK_MONOTONIC, in microseconds) 20 times a second: light enough to be run by the hundred.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

use constant { LINES => 200, PERIOD => 0.05 };

my $session = '634b5942-1bb0-4605-aa4d-e331f23a2993';
my $tail = qq("parent_tool_use_id":null,"session_id":"$session"}\n);
my $prompt = <STDIN>;
# Agents that are started together tick apart.
sleep(rand(PERIOD));
syswrite STDOUT, qq({"type":"system","subtype":"init","model":"m","session_id":"$session"}\n);
my $next = clock_gettime(CLOCK_MONOTONIC);
for my $number (1 .. LINES) {
    $next += PERIOD;
    my $wait = $next - clock_gettime(CLOCK_MONOTONIC);
    sleep($wait) if $wait > 0;
    my $head = qq({"type":"assistant","message":{"id":"msg_$number","role":"assistant","content":[{"type":"text","text":");
    syswrite STDOUT, sprintf('%s%.0f"}]},%s', $head, clock_gettime(CLOCK_MONOTONIC) * 1e6, $tail);
}
syswrite STDOUT, qq({"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"$session"}\n);
