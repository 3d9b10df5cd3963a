<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Lockstep\PimcoreBundle\Core\Batch;
use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\Core\Queue;
use Lockstep\PimcoreBundle\Core\Spool;

// What is on the disk.

$line = static fn (int $id): string => Batch::line(['kind' => 'object', 'id' => $id, 'type' => 'object', 'class' => 'Product', 'oldPath' => null, 'path' => str_repeat('x', 100)]);
$fill = static function (Spool $spool, int $from, int $to) use ($line): void {
    for ($id = $from; $id <= $to; ++$id) {
        holds($spool->add($line($id)), "$id is not taken");
    }
};
$drain = static function (Queue $queue, int $max = 200): array {
    $ids = [];
    while (null !== $read = $queue->read($max)) {
        $ids[] = array_map(static fn (string $l): ?int => json_decode($l, true)['id'] ?? null, $read['lines']);
        $queue->advance($read['next']);
    }

    return array_merge([], ...$ids);
};

return [
    'in order, over many files, sealed again and again' => static function (Kit $kit) use ($fill, $drain): void {
        $spool = new Spool($kit->dir, 64 << 20);
        for ($id = 1; $id <= 20_000; $id += 100) {
            $fill($spool, $id, $id + 99);
            holds($spool->seal(), 'not sealed');
        }
        holds(\count(glob($kit->dir.'/queue/*.lines')) > 2, 'one file only');
        same(range(1, 20_000), $drain($spool->queue));
        same([], glob($kit->dir.'/queue/*.lines'));
        same(0, $spool->queue->bytes());
        $fill($spool, 1, 3);
        $spool->seal();
        same([1, 2, 3], $drain($spool->queue), 'and from the beginning');
    },
    'a place that is lost sends twice' => static function (Kit $kit) use ($fill, $drain): void {
        $spool = new Spool($kit->dir, 64 << 20);
        $fill($spool, 1, 10);
        $spool->seal();
        $queue = $spool->queue;
        $queue->advance($queue->read(4)['next']);
        same([5, 6], array_map(static fn (string $l): int => json_decode($l, true)['id'], (new Queue($kit->dir.'/queue', 1 << 20))->read(2)['lines']));
        file_put_contents($kit->dir.'/queue/at', 'garbage');
        same(range(1, 10), $drain($queue));
    },
    'a torn end spoils one line only, and asks for a look at everything' => static function (Kit $kit) use ($fill, $drain): void {
        $spool = new Spool($kit->dir, 64 << 20);
        $fill($spool, 1, 2);
        $spool->seal();
        $file = glob($kit->dir.'/queue/*.lines')[0];
        file_put_contents($file, '{"kind":"obj', \FILE_APPEND);
        $fill($spool, 3, 4);
        $spool->seal();
        same([1, 2, null, 3, 4], $drain($spool->queue));
        $fill($spool, 5, 5);
        $spool->seal();
        file_put_contents(glob($kit->dir.'/queue/*.lines')[0], '{"kind":"obj', \FILE_APPEND);
        same([5], $drain($spool->queue));
        same([], glob($kit->dir.'/queue/*.lines'));
        holds('' !== $spool->queue->overflowed(), 'no mark');
    },
    'a line that is being written is left until it is whole' => static function (Kit $kit) use ($fill): void {
        $spool = new Spool($kit->dir, 64 << 20);
        $fill($spool, 1, 1);
        $spool->seal();
        $file = glob($kit->dir.'/queue/*.lines')[0];
        $writer = fopen($kit->dir.'/queue/append', 'c');
        flock($writer, \LOCK_EX);
        file_put_contents($file, '{"kind":"obj', \FILE_APPEND);
        $read = $spool->queue->read(10);
        same(1, \count($read['lines']));
        $spool->queue->advance($read['next']);
        same(null, $spool->queue->read(10));
        file_put_contents($file, "ect\",\"id\":2}\n", \FILE_APPEND);
        same(2, json_decode($spool->queue->read(10)['lines'][0], true)['id']);
        same('', $spool->queue->overflowed());
    },
    'a full spool drops, marks, and the next notice that is taken says so once' => static function (Kit $kit): void {
        $url = $kit->server('503');
        $settings = $kit->settings($url, [], ['max_bytes' => 4000, 'pause' => 0.0]);
        for ($id = 1; $id <= 60; ++$id) {
            $notifier = new Notifier($settings, $kit->log);
            $notifier->note(['kind' => 'object', 'id' => $id, 'type' => 'object', 'class' => 'Product', 'oldPath' => null, 'path' => str_repeat('x', 100)]);
            $notifier->end();
        }
        $size = array_sum(array_map('filesize', glob($kit->dir.'/spool/t/queue/*.lines')));
        holds($size > 3000 && $size <= 4000, "$size bytes");
        same(1, \count(preg_grep('/hints were dropped: the spool is full/', $kit->log->lines) ?: []) > 0 ? 1 : 0);
        $kit->answer('202');
        (new Notifier($settings, $kit->log))->send();
        $taken = $kit->taken();
        same(true, $taken[0]['overflow'] ?? false);
        same(1, $taken[0]['events'][0]['id']);
        $notifier = new Notifier($settings, $kit->log);
        $notifier->note(['kind' => 'object', 'id' => 99, 'type' => 'object', 'class' => 'Product', 'oldPath' => null]);
        $notifier->end();
        same([false, 99], [isset($kit->taken()[1]['overflow']), $kit->taken()[1]['events'][0]['id']]);
    },
    'a mark alone is sent, too' => static function (Kit $kit): void {
        $url = $kit->server();
        mkdir($kit->dir.'/spool/t/queue', 0770, true);
        (new Queue($kit->dir.'/spool/t/queue', 1))->overflow('by hand');
        (new Notifier($kit->settings($url), $kit->log))->send();
        same([true, []], [$kit->taken()[0]['overflow'], $kit->taken()[0]['events']]);
        same('', (new Queue($kit->dir.'/spool/t/queue', 1))->overflowed());
    },
    'one transaction that is too big marks at its end, not before' => static function (Kit $kit) use ($fill): void {
        $spool = new Spool($kit->dir, 4000);
        $fill($spool, 1, 1000);
        holds(filesize(glob($kit->dir.'/open/*')[0]) < 5000, 'it grows');
        same('', $spool->queue->overflowed());
        holds($spool->seal(), 'not sealed');
        holds('' !== $spool->queue->overflowed(), 'no mark');
        $fill($spool, 1, 2);
        $spool->seal();
        same(2, \count($spool->queue->read(10)['lines']));
    },
    'a mark that was set again meanwhile stays' => static function (Kit $kit): void {
        mkdir($kit->dir.'/queue');
        $queue = new Queue($kit->dir.'/queue', 1);
        $queue->overflow('one');
        $mark = $queue->overflowed();
        $queue->overflow('two');
        $queue->clearOverflow($mark);
        holds('' !== $queue->overflowed(), 'it is gone');
    },
];
