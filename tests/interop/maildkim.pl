# maildkim.pl: Mail::DKIM over files, its look-ups answered from a file of
# "name record" lines.
#
#   maildkim.pl ZONE verify FILE...                 prints a result a line
#   maildkim.pl ZONE sign KEY DOMAIN SELECTOR METHOD FILE...   prints a field a file
#   maildkim.pl ZONE arc-verify FILE...
#   maildkim.pl ZONE arc-seal KEY DOMAIN SELECTOR SERVER FILE  prints three fields
use strict;
use warnings;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS;

my ($zone_file, $what, @rest) = @ARGV;
my %zone;
open my $zone, '<', $zone_file or die;
while (<$zone>) {
    chomp;
    my ($name, $record) = split / /, $_, 2;
    $zone{lc $name} = $record;
}
{
    no warnings 'redefine';
    *Mail::DKIM::DNS::query = sub {
        my ($name, $type) = @_;
        my $record = $zone{lc $name};
        $@ = 'NXDOMAIN';
        return unless defined $record;
        $@ = 'NOERROR';
        return Net::DNS::RR->new(name => $name, type => 'TXT',
                                 txtdata => [$record =~ /(.{1,255})/gs]);
    };
}

sub feed {
    my ($object, $file) = @_;
    open my $in, '<:raw', $file or die;
    local $/ = undef;
    $object->PRINT(<$in>);
    $object->CLOSE;
    return $object;
}

sub unfolded {
    my ($field) = @_;
    $field =~ s/\r?\n/\\n/g;
    return $field;
}

if ($what eq 'verify') {
    for my $file (@rest) {
        my $v = feed(Mail::DKIM::Verifier->new, $file);
        print $v->result, ' ', ($v->result_detail // ''), "\n";
    }
} elsif ($what eq 'sign') {
    my ($key, $domain, $selector, $method, @files) = @rest;
    for my $file (@files) {
        my $s = feed(Mail::DKIM::Signer->new(
            Algorithm => 'rsa-sha256', Method => $method, Domain => $domain,
            Selector => $selector, KeyFile => $key), $file);
        print unfolded($s->signature->as_string), "\n";
    }
} elsif ($what eq 'arc-verify') {
    for my $file (@rest) {
        my $v = feed(Mail::DKIM::ARC::Verifier->new(Strict => 0), $file);
        print $v->result, ' ', ($v->result_detail // ''), "\n";
    }
} else {
    my ($key, $domain, $selector, $server, $file) = @rest;
    my $s = feed(Mail::DKIM::ARC::Signer->new(
        Algorithm => 'rsa-sha256', Domain => $domain, Selector => $selector,
        SrvId => $server, KeyFile => $key, Chain => 'ar', Timestamp => time), $file);
    print unfolded($_), "\n" for $s->as_strings;
}
