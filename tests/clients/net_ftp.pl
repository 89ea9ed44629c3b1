# Perl's Net::FTP over IO::Socket::SSL: every verb of the matrix on one control connection.
#
#     perl net_ftp.pl explicit|implicit 1.2|1.3 PORT USER PASSWORD
#
# It works in the current folder, prints the listing on stdout and what failed on stderr.
use strict;
use warnings;
use IO::Socket::SSL qw(SSL_VERIFY_NONE);
use Net::FTP;

my ($mode, $tls, $port, $user, $password) = @ARGV;
my $version = $tls eq '1.2' ? 'TLSv1_2' : 'TLSv1_3';

sub connected {
    my $ftp = Net::FTP->new('127.0.0.1', Port => $port, Passive => 1, Timeout => 60,
        SSL => ($mode eq 'implicit'), SSL_version => $version, SSL_verify_mode => SSL_VERIFY_NONE)
        or die "connecting: $@\n";
    if ($mode eq 'explicit') { $ftp->starttls or die 'AUTH TLS: ' . $ftp->message; }
    $ftp->login($user, $password) or die 'login: ' . $ftp->message;
    $ftp->prot('P') or die 'PROT P: ' . $ftp->message;
    $ftp->binary or die 'TYPE I: ' . $ftp->message;
    return $ftp;
}

my @steps = (
    list => sub { my @lines = $_[0]->dir or die $_[0]->message; print map { "$_\n" } @lines },
    upload => sub { $_[0]->put('up') or die $_[0]->message },
    download => sub { $_[0]->get('down') or die $_[0]->message },
    'resume download' => sub { $_[0]->get('cut', 'cut', -s 'cut') or die $_[0]->message },
    'resume upload' => sub {
        my $there = $_[0]->size('half') // die $_[0]->message;
        open(my $file, '<:raw', 'half') or die $!;
        seek($file, $there, 0) or die $!;
        $_[0]->append($file, 'half') or die $_[0]->message;
    },
    rename => sub { $_[0]->rename('old', 'new') or die $_[0]->message },
    delete => sub { $_[0]->delete('gone') or die $_[0]->message },
);

my $ftp = connected();
while (my ($name, $step) = splice(@steps, 0, 2)) {
    next if eval { $step->($ftp); 1 };
    print STDERR "$name: $@\n";
    $ftp->close;
    $ftp = connected();
}
$ftp->quit;
