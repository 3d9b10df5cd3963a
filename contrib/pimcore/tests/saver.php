<?php

declare(strict_types=1);

// A process that saves: saver.php '<json>'. It goes the whole way of the bundle, from Pimcore's event on.
//   settings      as of Notifier
//   from, to      ids to save
//   class         of the objects; Product where absent
//   transaction   true: all in one that is never closed; a number: each is open for so many saves
//   pause_us      microseconds to wait after each save
//   progress      prints "saved <id>" after each so many saves, and what was saved by then is on the disk
//   stay          after the saves wait for a line on stdin before the end
//   events        instead of saves: a list of {event, id, path, class, type, arguments}
//   send          no saves: what `lockstep:send` does
// At the end it prints one line of JSON: saves, slowest (seconds), log.

require __DIR__.'/bootstrap.php';

use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\EventListener\ElementListener;
use Lockstep\PimcoreBundle\Tests\FakeEvent;
use Lockstep\PimcoreBundle\Tests\FakeObject;
use Lockstep\PimcoreBundle\Tests\FakePlain;
use Lockstep\PimcoreBundle\Tests\Lines;

$job = json_decode($argv[1], true, 16, JSON_THROW_ON_ERROR);
$log = new Lines();
$open = false;
$notifier = new Notifier($job['settings'], $log, static function () use (&$open): bool {
    return $open;
});
if ($job['send'] ?? false) {
    $out = ['log' => $log->lines];
    foreach ($notifier->send() as $name => $report) {
        $out['reports'][$name] = ['sent' => $report->sent, 'waiting' => $report->waiting, 'why' => $report->why];
    }
    echo json_encode($out), "\n";
    exit(0);
}
$listener = new ElementListener($notifier);
foreach ($job['events'] ?? [] as $e) {
    $element = 'folder' === $e['type'] ? new FakePlain($e['id'], 'folder', $e['path']) : new FakeObject($e['id'], $e['path'], $e['class'], $e['type']);
    $listener->onElement(new FakeEvent($element, $e['arguments'] ?? []), $e['event']);
}
$span = $job['transaction'] ?? false;
$slowest = 0.0;
for ($id = $job['from'] ?? 1, $n = 0; $id <= ($job['to'] ?? 0); ++$id, ++$n) {
    $open = true === $span || (is_int($span) && 0 !== ($n + 1) % $span);
    $start = microtime(true);
    $listener->onElement(new FakeEvent(new FakeObject($id, "/Products/p-$id", $job['class'] ?? 'Product')), 'pimcore.dataobject.postUpdate');
    $slowest = max($slowest, microtime(true) - $start);
    if (isset($job['progress']) && 0 === ($n + 1) % $job['progress']) {
        echo "saved $id\n";
    }
    if (isset($job['pause_us'])) {
        usleep($job['pause_us']);
    }
}
$open = true === $span;
if ($job['stay'] ?? false) {
    echo "saved\n";
    fgets(STDIN);
}
register_shutdown_function(static function () use ($n, $slowest, $log): void {
    echo json_encode(['saves' => $n, 'slowest' => round($slowest, 4), 'log' => $log->lines]), "\n";
});
$listener->onEnd(); // as kernel.terminate and console.terminate do
