<?php

declare(strict_types=1);

// A hook that takes notices: server.php <secret> <file of bodies> [<file with what to answer>].
// It prints its port. Each taken body is a line of the file. What to answer, read anew for each request: a status;
// "refuse <text>": 400 where the body holds it; "mute": nothing.

[, $secret, $taken] = $argv;
$plan = $argv[3] ?? '';
$server = stream_socket_server('tcp://127.0.0.1:0');
echo substr(strrchr(stream_socket_get_name($server, false), ':'), 1), "\n";
while (false !== $client = stream_socket_accept($server, -1)) {
    stream_set_timeout($client, 10);
    if (false !== $first = fgets($client)) {
        $headers = [];
        while (false !== ($line = fgets($client)) && '' !== $line = trim($line)) {
            [$name, $value] = explode(':', $line, 2);
            $headers[strtolower($name)] = trim($value);
        }
        $body = '';
        $length = (int) ($headers['content-length'] ?? 0);
        while (strlen($body) < $length && '' !== $part = (string) fread($client, $length - strlen($body))) {
            $body .= $part;
        }
        $answer = '' === $plan ? '202' : trim((string) file_get_contents($plan));
        if ('mute' === $answer) {
            sleep(60);
        }
        if (str_starts_with($answer, 'refuse ')) {
            $answer = str_contains($body, substr($answer, 7)) ? '400' : '202';
        }
        $want = 'sha256='.hash_hmac('sha256', ($headers['x-lockstep-timestamp'] ?? '').'.'.$body, $secret);
        if (!hash_equals($want, $headers['x-lockstep-signature'] ?? '') || !str_starts_with($first, 'POST ')) {
            $answer = '401';
        }
        if ('202' === $answer) {
            file_put_contents($taken, $body."\n", FILE_APPEND);
        }
        $text = '202' === $answer ? '{}' : json_encode(['code' => '401' === $answer ? 'LS-SIGNATURE' : 'LS-NOTICE', 'detail' => $secret]);
        fwrite($client, "HTTP/1.1 $answer X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ".strlen($text)."\r\n\r\n$text");
    }
    fclose($client);
}
