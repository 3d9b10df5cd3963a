<?php

declare(strict_types=1);

// The tests of the bundle: php tests/run.php [<part of a name>]. No download is needed.

namespace Lockstep\PimcoreBundle\Tests;

require __DIR__.'/bootstrap.php';
require __DIR__.'/kit.php';

$tests = [];
foreach (['hints', 'sending', 'spool', 'trouble', 'processes'] as $subject) {
    foreach (require __DIR__."/$subject.php" as $name => $test) {
        $tests["$subject: $name"] = $test;
    }
}
$failed = $done = 0;
foreach ($tests as $name => $test) {
    if (!str_contains($name, $argv[1] ?? '')) {
        continue;
    }
    $kit = new Kit();
    try {
        $test($kit);
        $log = implode("\n", $kit->log->lines);
        holds(!str_contains($log, Kit::SECRET), "the secret is in the log: $log");
        echo "ok    $name\n";
    } catch (\Throwable $e) {
        ++$failed;
        echo "FAIL  $name\n      ", $e->getMessage(), "\n      ", basename($e->getFile()), ':', $e->getLine(), "\n";
        foreach ($e->getTrace() as $frame) {
            echo '      ', basename($frame['file'] ?? ''), ':', $frame['line'] ?? '', "\n";
        }
        echo '      log: ', implode("\n      ", $kit->log->lines), "\n";
    } finally {
        $kit->end();
    }
    ++$done;
}
echo "$done tests, $failed failed\n";
exit($failed > 0 || 0 === $done ? 1 : 0);
