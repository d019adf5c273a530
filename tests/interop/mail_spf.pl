#!/usr/bin/perl
# mail_spf.pl: what Mail::SPF says of each entry (a JSON object a line, with its zone).
use strict;
use warnings;

use JSON::PP;
use Mail::SPF;
use Net::DNS;

package Zone;

sub new {
    my ($class, $names) = @_;
    return bless { names => { map { (lc $_ => $names->{$_}) } keys %$names }, error => '' }, $class;
}

sub errorstring { return $_[0]->{error} }

sub send {
    my ($self, $name, $type) = @_;
    my $found = $self->{names}{lc $name};
    $self->{error} = '';
    if (defined $found && !ref $found) {
        $self->{error} = 'query timed out';
        return undef;
    }
    my $packet = Net::DNS::Packet->new($name, $type);
    $packet->header->qr(1);
    $packet->header->rcode(defined $found ? 'NOERROR' : 'NXDOMAIN');
    for my $record (@{ defined $found ? $found->{$type} || [] : [] }) {
        my %rr = (name => $name, type => $type, ttl => 60, class => 'IN');
        if ($type eq 'TXT') { $rr{txtdata} = ref $record ? $record : [$record] }
        elsif ($type eq 'MX') { @rr{'preference', 'exchange'} = @$record }
        elsif ($type eq 'PTR') { $rr{ptrdname} = $record }
        else { $rr{address} = $record }
        $packet->push(answer => Net::DNS::RR->new(%rr));
    }
    return $packet;
}

package main;

my $json = JSON::PP->new->canonical;
while (my $line = <STDIN>) {
    my $entry = $json->decode($line);
    my $sender = $entry->{mail_from};
    my $server = Mail::SPF::Server->new(dns_resolver => Zone->new($entry->{zone}),
                                        max_void_dns_lookups => 2,
                                        query_rr_types => Mail::SPF::Server->query_rr_type_txt);
    my $request = Mail::SPF::Request->new(
        versions => [1], scope => $sender eq '' ? 'helo' : 'mfrom',
        identity => $sender eq '' ? $entry->{helo} : $sender,
        ip_address => $entry->{ip}, helo_identity => $entry->{helo});
    my $result = eval { $server->process($request) };
    my %said = (id => $entry->{id}, result => $result ? $result->code : "died: $@");
    $said{explanation} = $result->authority_explanation
        if $result && $result->can('authority_explanation');
    $said{explanation} = defined $said{explanation} ? "$said{explanation}" : '';
    print $json->encode(\%said), "\n";
}
