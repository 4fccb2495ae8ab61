#!/usr/bin/env perl
# line-writer.pl RATE SECONDS PID...: prints RATE lines a second, for so many seconds, as each of these processes: into its
# stdout, with the time of the writing (CLOCK_MONOTONIC, in microseconds). Prints how many lines it wrote. Linux only.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

# Numbers of system calls, the same on every architecture.
use constant { PIDFD_OPEN => 434, PIDFD_GETFD => 438 };
use constant SHORTEST_SLEEP => 0.001;

my ($rate, $seconds, @pids) = @ARGV;
my @outputs = map { stdout_of($_) } @pids;
my $count = @outputs;
# Agents tick apart, not in step; the same way each time.
srand(1);
my @phases = sort { $a <=> $b } map { rand(1 / $rate) } @outputs;

my $session = '634b5942-1bb0-4605-aa4d-e331f23a2993';
my $prose = 'the unit failed, its port is taken by a process of the release before; ';
my $tail = qq( $prose"}]},"parent_tool_use_id":null,"session_id":"$session"}\n);

my $lines = int($rate * $seconds) * $count;
my $start = clock_gettime(CLOCK_MONOTONIC);
for (my $written = 0; $written < $lines;) {
    my $now = clock_gettime(CLOCK_MONOTONIC);
    my $due = $start + int($written / $count) / $rate + $phases[$written % $count];
    if ($due > $now) {
        my $wait = $due - $now;
        sleep($wait > SHORTEST_SLEEP ? $wait : SHORTEST_SLEEP);
        next;
    }
    my $head = qq({"type":"assistant","message":{"id":"msg_$written","role":"assistant","content":[{"type":"text","text":"tick );
    my $time = sprintf '%.0f', $now * 1e6;
    syswrite $outputs[$written % $count], "$head$time$tail";
    $written++;
}
print "$lines\n";

sub stdout_of {
    my ($pid) = @_;
    my $process = syscall(PIDFD_OPEN, $pid + 0, 0);
    die "pidfd_open of $pid: $!\n" if $process < 0;
    my $descriptor = syscall(PIDFD_GETFD, $process, 1, 0);
    die "pidfd_getfd of $pid: $! (it takes the right to trace it)\n" if $descriptor < 0;
    open my $handle, '>&=', $descriptor or die "stdout of $pid: $!\n";
    return $handle;
}
