<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\Core\Spool;

// Several processes, and such that die.

$job = static fn (Kit $kit, string $url, array $with): string => json_encode($with + ['settings' => $kit->settings($url)]);

return [
    'what a living process may not send yet, nobody sends' => static function (Kit $kit) use ($job): void {
        $url = $kit->server();
        [$saver, $pipes] = $kit->start('saver.php', $job($kit, $url, ['from' => 1, 'to' => 5, 'transaction' => true, 'stay' => true]));
        same("saved\n", fgets($pipes[1]));
        $notifier = new Notifier($kit->settings($url), $kit->log);
        same(0, $notifier->send()['t']->sent);
        same([], $kit->taken());
        fwrite($pipes[0], "\n"); // it ends, its transaction was never closed: a rollback
        fgets($pipes[1]);
        proc_close($saver);
        same([], $kit->taken(), 'not by itself');
        same(5, $notifier->send()['t']->sent, 'a hint too many is harmless');
    },
    'the hints of a process that was killed are taken over' => static function (Kit $kit) use ($job): void {
        $url = $kit->server();
        [$saver, $pipes] = $kit->start('saver.php', $job($kit, $url, ['from' => 1, 'to' => 150, 'stay' => true]));
        same("saved\n", fgets($pipes[1]));
        proc_terminate($saver, 9);
        while (proc_get_status($saver)['running']) {
            usleep(1000);
        }
        same([], $kit->taken());
        $notifier = new Notifier($kit->settings($url), $kit->log);
        $notifier->note(['kind' => 'object', 'id' => 200, 'type' => 'object', 'class' => 'Product', 'oldPath' => null]);
        $notifier->end();
        $ids = $kit->ids();
        sort($ids);
        same([...range(1, 150), 200], $ids);
        same([], glob($kit->dir.'/spool/t/open/*'));
    },
    'eight processes at once' => static function (Kit $kit) use ($job): void {
        $url = $kit->server();
        $savers = [];
        for ($i = 0; $i < 8; ++$i) {
            $savers[] = $kit->start('saver.php', $job($kit, $url, ['from' => $i * 1000 + 1, 'to' => $i * 1000 + 1000, 'transaction' => 30]));
        }
        foreach ($savers as [$saver, $pipes]) {
            same(1000, json_decode(fgets($pipes[1]), true)['saves']);
            proc_close($saver);
        }
        $report = (new Notifier($kit->settings($url), $kit->log))->send()['t'];
        same('', $report->why);
        $ids = array_unique($kit->ids());
        sort($ids);
        same(range(1, 8000), $ids);
        same([], glob($kit->dir.'/spool/t/open/*'));
    },
    'a forked child leaves its parent\'s hints alone' => static function (Kit $kit): void {
        $spool = new Spool($kit->dir, 1 << 20);
        $spool->add("{\"id\":1}\n");
        $child = pcntl_fork();
        if (0 === $child) {
            $spool->add("{\"id\":2}\n");
            $spool->seal();
            $spool->close();
            posix_kill(posix_getpid(), 9); // no shutdown functions of the tests
        }
        pcntl_waitpid($child, $status);
        same(["{\"id\":2}\n"], $spool->queue->read(10)['lines']);
        $spool->adopt();
        (new Spool($kit->dir, 1 << 20))->adopt();
        same(1, \count($spool->queue->read(10)['lines']), 'the parent lives: its lock holds');
        same(1, $spool->pending());
        $spool->seal();
        same(2, \count($spool->queue->read(10)['lines']));
    },
    'a program that was started does not keep the lock' => static function (Kit $kit): void {
        $spool = new Spool($kit->dir, 1 << 20);
        $spool->add("{\"id\":1}\n");
        $sleep = proc_open(['sleep', '30'], [], $pipes);
        $spool->close();
        for ($i = 0; $i < 5000 && null === $spool->queue->read(10); ++$i) {
            usleep(1000); // until the child is the program, it has what we have
            (new Spool($kit->dir, 1 << 20))->adopt();
        }
        same(1, \count($spool->queue->read(10)['lines'] ?? []));
        proc_terminate($sleep, 9);
        proc_close($sleep);
    },
];
