<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\EventListener\ElementListener;
use Psr\Log\LoggerInterface;

// What goes wrong: nothing is thrown, nothing waits long, nothing is lost, and it is said once.

$save = static function (Notifier $notifier, int $from, int $to): void {
    $listener = new ElementListener($notifier);
    for ($id = $from; $id <= $to; ++$id) {
        $listener->onElement(new FakeEvent(new FakeObject($id)), 'pimcore.dataobject.postUpdate');
    }
};
$tries = static fn (Notifier $notifier): int => inside(inside(inside($notifier, 'channels')[0], 'sender'), 'tries');
$waiting = static fn (Kit $kit): int => array_sum(array_map(static fn (string $f): int => \count(file($f)), glob($kit->dir.'/spool/t/queue/*.lines')));

return [
    'a closed port: one try for all saves of all processes, until the pause is over' => static function (Kit $kit) use ($save, $tries, $waiting): void {
        $settings = $kit->settings($kit->closedPort());
        $notifier = new Notifier($settings, $kit->log);
        $save($notifier, 1, 2000);
        $notifier->end();
        same(1, $tries($notifier));
        $other = new Notifier($settings, $kit->log);
        $save($other, 2001, 2001);
        $other->end();
        same(0, $tries($other));
        same(2001, $waiting($kit));
        same(1, \count($kit->log->lines));
        $third = new Notifier($kit->settings($kit->closedPort(), [], ['pause' => 0.0]), $kit->log);
        $save($third, 2002, 2002);
        $third->end();
        same(1, $tries($third), 'a pause of nothing is none');
    },
    'a port that accepts and never answers: one try, of the limit' => static function (Kit $kit) use ($save, $tries, $waiting): void {
        $hole = stream_socket_server('tcp://127.0.0.1:0');
        $url = 'http://'.stream_socket_get_name($hole, false).'/hooks/p';
        $notifier = new Notifier($kit->settings($url, [], ['timeout' => 0.2]), $kit->log);
        $save($notifier, 1, 2000);
        $notifier->end();
        same(1, $tries($notifier));
        same(2000, $waiting($kit));
        holds(str_contains($kit->log->lines[0], 'Timeout'), $kit->log->lines[0]);
        same(false, str_contains($kit->log->lines[0], '127.0.0.1'));
    },
    'the limit is that of all targets together' => static function (Kit $kit) use ($save): void {
        $hole = stream_socket_server('tcp://127.0.0.1:0');
        $target = ['url' => 'http://'.stream_socket_get_name($hole, false).'/hooks/p', 'secret' => Kit::SECRET];
        $notifier = new Notifier(['spool' => $kit->dir.'/s', 'timeout' => 0.4, 'targets' => array_fill_keys(range('a', 'd'), $target)], $kit->log);
        $save($notifier, 1, 1);
        $start = microtime(true);
        $notifier->end();
        // Four times the limit would be 1.6 s; what the machine adds has more than a second.
        holds(microtime(true) - $start < 1.5, 'each has taken its own');
    },
    'a wrong secret: kept, told once with its code, and no more than that' => static function (Kit $kit) use ($save, $waiting): void {
        $url = $kit->server();
        $notifier = new Notifier($kit->settings($url, ['secret' => 'another-secret-of-ours']), $kit->log);
        $save($notifier, 1, 3);
        $notifier->end();
        same(3, $waiting($kit));
        same(['error: lockstep: target t takes no hints (HTTP 401 LS-SIGNATURE): they wait in the spool []'], $kit->log->lines);
    },
    'a hint that is refused stands alone in the end' => static function (Kit $kit) use ($save): void {
        $url = $kit->server('refuse "id":77,');
        $settings = $kit->settings($url, [], ['pause' => 0.0]);
        $notifier = new Notifier($settings, $kit->log);
        $save($notifier, 1, 150);
        $notifier->end();
        (new Notifier($settings, $kit->log))->send();
        $ids = $kit->ids();
        same([], array_values(array_diff(range(1, 150), $ids, [77])));
        same(1, \count(file($kit->dir.'/spool/t/refused')));
        same(1, \count(array_filter($kit->taken(), static fn (array $n): bool => $n['overflow'] ?? false)), 'the mark makes up for it');
    },
    'a spool that cannot be written: hints are sent from memory' => static function (Kit $kit) use ($save): void {
        file_put_contents($kit->dir.'/spool', 'a file');
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log);
        $save($notifier, 1, 500);
        $notifier->end();
        same(range(1, 500), $kit->ids());
        same(1, \count($kit->log->lines));
    },
    'neither spool nor lockstep: it is said that hints are lost' => static function (Kit $kit) use ($save): void {
        file_put_contents($kit->dir.'/spool', 'a file');
        $notifier = new Notifier($kit->settings($kit->closedPort()), $kit->log);
        $save($notifier, 1, 5000);
        $notifier->end();
        same(1, \count(preg_grep('/hints are lost/', $kit->log->lines)));
    },
    'what others throw is caught, and its text kept out' => static function (Kit $kit) use ($tries): void {
        $notifier = new Notifier($kit->settings($kit->server()), $kit->log);
        $listener = new ElementListener($notifier);
        $bad = new class(1) extends FakeObject {
            public function getRealFullPath(): string
            {
                throw new \Error('the parent holds '.Kit::SECRET);
            }
        };
        for ($i = 0; $i < 10; ++$i) {
            $listener->onElement(new FakeEvent($bad), 'pimcore.dataobject.postUpdate');
        }
        $listener->onElement(new FakeEvent(new FakeObject(2)), 'pimcore.dataobject.postUpdate');
        $notifier->end();
        same([2], $kit->ids());
        same(1, \count($kit->log->lines));
    },
    'a logger that throws' => static function (Kit $kit) use ($save): void {
        $logger = new class implements LoggerInterface {
            public function log($level, $message, array $context = []): void
            {
                throw new \RuntimeException('full');
            }
        };
        $notifier = new Notifier($kit->settings($kit->closedPort()), $logger);
        $save($notifier, 1, 3);
        $notifier->end();
    },
    'wrong settings stop no save, and no other target' => static function (Kit $kit) use ($save): void {
        $url = $kit->server();
        $notifier = new Notifier(['spool' => $kit->dir.'/spool', 'targets' => [
            'a' => ['url' => 'ftp://x', 'secret' => Kit::SECRET], '../b' => ['url' => $url, 'secret' => Kit::SECRET],
            'c' => ['url' => $url, 'secret' => ''], 'd' => ['url' => null, 'secret' => Kit::SECRET], 'e' => ['url' => $url, 'secret' => Kit::SECRET],
        ]], $kit->log);
        $save($notifier, 1, 1);
        $notifier->end();
        same([1], $kit->ids());
        same(['e'], array_values(array_diff(scandir($kit->dir.'/spool'), ['.', '..'])));
    },
];
