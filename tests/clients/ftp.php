<?php
// PHP's ftp extension: every verb of the matrix on one control connection.
//
//     php ftp.php explicit 1.2|1.3 PORT USER PASSWORD
//
// It works in the current folder, prints the listing on stdout and what failed on stderr. The extension has no setting
// for the version of TLS; OpenSSL's own settings hold it to one.
[, $mode, , $port, $user, $password] = $argv;

function connected()
{
    global $port, $user, $password;
    $ftp = ftp_ssl_connect('127.0.0.1', (int) $port, 60);
    if (!$ftp || !ftp_login($ftp, $user, $password) || !ftp_pasv($ftp, true)) {
        exit(1);
    }
    return $ftp;
}

$steps = [
    'list' => function ($ftp) {
        $lines = ftp_rawlist($ftp, '.');
        echo implode("\n", $lines ?: []), "\n";
        return (bool) $lines;
    },
    'upload' => fn ($ftp) => ftp_put($ftp, 'up', 'up', FTP_BINARY),
    'download' => fn ($ftp) => ftp_get($ftp, 'down', 'down', FTP_BINARY),
    'resume download' => fn ($ftp) => ftp_get($ftp, 'cut', 'cut', FTP_BINARY, FTP_AUTORESUME),
    'resume upload' => fn ($ftp) => ftp_put($ftp, 'half', 'half', FTP_BINARY, FTP_AUTORESUME),
    'rename' => fn ($ftp) => ftp_rename($ftp, 'old', 'new'),
    'delete' => fn ($ftp) => ftp_delete($ftp, 'gone'),
];

$ftp = connected();
foreach ($steps as $name => $step) {
    if (!$step($ftp)) {
        fwrite(STDERR, "$name: failed\n");
        ftp_close($ftp);
        $ftp = connected();
    }
}
ftp_close($ftp);
