<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\EventListener\ElementListener;

// When hints go out.

$save = static function (Notifier $notifier, int $from, int $to): void {
    $listener = new ElementListener($notifier);
    for ($id = $from; $id <= $to; ++$id) {
        $listener->onElement(new FakeEvent(new FakeObject($id)), 'pimcore.dataobject.postUpdate');
    }
};

return [
    'not in the event, but at the end, and once' => static function (Kit $kit) use ($save): void {
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log);
        $save($notifier, 1, 3);
        same([], $kit->taken());
        $notifier->flush();
        $notifier->end();
        same([1, 2, 3], $kit->ids());
        same(1, \count($kit->taken()));
        same([], glob($kit->dir.'/spool/t/open/*'), 'the own file is gone');
        same([], glob($kit->dir.'/spool/t/queue/*.lines'));
        same([], $kit->log->lines);
    },
    'a long process sends at each 200' => static function (Kit $kit) use ($save): void {
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log);
        $save($notifier, 1, 199);
        same(0, \count($kit->taken()));
        $save($notifier, 200, 450);
        same([200, 200], array_map(static fn (array $n): int => \count($n['events']), $kit->taken()));
        $notifier->flush();
        same(range(1, 450), $kit->ids());
    },
    'a slow process sends what is old' => static function (Kit $kit) use ($save): void {
        $notifier = new Notifier($kit->settings($kit->server(), [], ['hold' => 0.05]), $kit->log);
        $save($notifier, 1, 1);
        same([], $kit->ids());
        usleep(100_000);
        $save($notifier, 2, 2);
        same([1, 2], $kit->ids());
    },
    'nothing while a transaction is open' => static function (Kit $kit) use ($save): void {
        $open = true;
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log, static function () use (&$open): bool {
            return $open;
        });
        $save($notifier, 1, 500);
        $notifier->flush();
        same([], $kit->taken());
        $open = false;
        $save($notifier, 501, 501);
        same(range(1, 501), $kit->ids());
        same(3, \count($kit->taken()));
    },
    'where a transaction cannot be told it counts as open' => static function (Kit $kit) use ($save): void {
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log, static fn (): bool => throw new \LogicException(Kit::SECRET));
        $save($notifier, 1, 300);
        $notifier->flush();
        same([], $kit->taken());
        same(1, \count($kit->log->lines));
    },
    'several flows, each what it wants' => static function (Kit $kit) use ($save): void {
        $url = $kit->server();
        $to = static fn (array $classes): array => ['url' => $url, 'secret' => Kit::SECRET, 'classes' => $classes];
        $notifier = new Notifier(['spool' => $kit->dir.'/spool', 'targets' => [
            'cars' => $to(['Car']), 'dead' => ['url' => $kit->closedPort()] + $to([]), 'products' => $to(['Product']),
        ]], $kit->log);
        $save($notifier, 1, 2);
        $notifier->flush();
        same([1, 2], $kit->ids(), 'one that is dead holds no other up');
        same(1, \count($kit->log->lines));
    },
    'while lockstep is away all is kept, in order, and sent later' => static function (Kit $kit) use ($save): void {
        $url = $kit->server('503');
        foreach ([1, 101, 201] as $from) {
            $notifier = new Notifier($kit->settings($url, [], ['pause' => 0.0, 'batch' => 70]), $kit->log);
            $save($notifier, $from, $from + 99);
            $notifier->end();
        }
        same([], $kit->taken());
        $kit->answer('202');
        $notifier = new Notifier($kit->settings($url, [], ['batch' => 70]), $kit->log);
        $save($notifier, 301, 301);
        $notifier->end();
        same(range(1, 301), $kit->ids());
    },
    'the command sends what waits, the pause aside' => static function (Kit $kit) use ($save): void {
        $url = $kit->server('503');
        $notifier = new Notifier($kit->settings($url), $kit->log);
        $save($notifier, 1, 5);
        $notifier->end();
        $report = (new Notifier($kit->settings($url), $kit->log))->send()['t'];
        same([0, true, 'HTTP 503 LS-NOTICE'], [$report->sent, $report->waiting > 0, $report->why]);
        $kit->answer('202');
        $report = (new Notifier($kit->settings($url), $kit->log))->send()['t'];
        same([5, 0, ''], [$report->sent, $report->waiting, $report->why]);
        same(range(1, 5), $kit->ids());
        $notifier = new Notifier($kit->settings($url), $kit->log);
        $save($notifier, 6, 6);
        $notifier->end();
        same(range(1, 6), $kit->ids(), 'the pause is over for all');
    },
];
