#!/usr/bin/env perl
# raw-peers.pl PORT COUNT RECEIVE_BUFFER SEGMENT STALLS: so many connections to this machine's PORT, each of which sends what the
# first line of stdin says in hex. Prints "begun" when each has had the beginning of an answer.
# RECEIVE_BUFFER and SEGMENT: bytes, for connections that hold as little in the kernel as those over a network; 0: as is.
# STALLS: 1: no more is read of an answer than its beginning. A line "mute" on stdin: the kernel drops all that comes from
# now on, and answers nothing.
# Linux only.
use strict;
use warnings;
use IO::Select;
use Socket qw(:all);

# Numbers that Socket.pm does not know.
use constant { SO_ATTACH_FILTER => 26 };

# More than a server of HTTP/2 says by itself, and less than the headers and the first message of an answer.
use constant BEGINNING_BYTES => 160;

my ($port, $count, $buffer, $segment, $stalls) = @ARGV;
my $request = pack 'H*', readline_of_stdin();
my @sockets = map { open_connection() } 1 .. $count;
my (%had, %begun);
my $reading = IO::Select->new(\*STDIN, @sockets);
my $open = 1;
while ($open) {
    for my $handle ($reading->can_read) {
        if ($handle == \*STDIN) { $open = command(readline_of_stdin()); next }
        my $read = sysread $handle, my $bytes, 65536;
        if (!$read) { $reading->remove($handle); next }
        next if $begun{$handle} || ($had{$handle} += $read) < BEGINNING_BYTES;
        $begun{$handle} = 1;
        $reading->remove($handle) if $stalls;
        syswrite STDOUT, "begun\n" if keys %begun == @sockets;
    }
}

sub open_connection {
    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('i', $buffer)) if $buffer;
    setsockopt($socket, IPPROTO_TCP, TCP_MAXSEG, pack('i', $segment)) if $segment;
    connect($socket, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!\n";
    syswrite $socket, $request;
    return $socket;
}

sub command {
    my ($line) = @_;
    return 0 if $line eq '';
    if ($line eq 'mute') { mute($_) for @sockets }
    syswrite STDOUT, "$line\n";
    return 1;
}

# A filter of one instruction, which keeps 0 bytes of every packet.
sub mute {
    my ($socket) = @_;
    my $instruction = pack 'S C C L', 0x06, 0, 0, 0;
    my $program = pack 'S x![P] P', 1, $instruction;
    setsockopt($socket, SOL_SOCKET, SO_ATTACH_FILTER, $program) or die "SO_ATTACH_FILTER: $!\n";
}

sub readline_of_stdin {
    my $line = '';
    while (sysread STDIN, my $byte, 1) {
        return $line if $byte eq "\n";
        $line .= $byte;
    }
    return '';
}
