# Peer: echo on Perl's Net::Server, as Fork or PreFork.
#
#   perl net_server.pl Fork|PreFork PORT
use strict;
use warnings;

my ($kind, $port) = @ARGV;
our @ISA = ("Net::Server::$kind");
eval "require Net::Server::$kind" or die $@;

sub process_request {
	my ($self, $client) = @_;
	while (sysread($client, my $data, 65536)) {
		my $done = 0;
		while ($done < length $data) {
			my $n = syswrite($client, $data, length($data) - $done, $done);
			return unless defined $n;
			$done += $n;
		}
	}
}

# The limits of Fork, and the processes of PreFork that wait.
my %size = $kind eq 'Fork' ? (max_servers => 20000)
	: (min_servers => 16, max_servers => 64, min_spare_servers => 2,
	max_spare_servers => 32, max_requests => 100000);

@ARGV = ();
main->run(host => '127.0.0.1', port => $port, ipv => 4, listen => 4096,
	log_level => 0, %size);
