<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

use Psr\Log\LoggerInterface;

/**
 * Takes hints while elements are saved, and sends them when that disturbs nobody. Nothing here throws, and a flush takes
 * no longer than its time limit.
 */
final class Notifier
{
    /** @var list<Channel> */
    private readonly array $channels;
    private readonly Journal $journal;
    private readonly int $batch;
    private readonly float $hold;
    private readonly float $timeout;
    private bool $busy = false;
    private bool $willEnd = false;
    private float $since = 0.0;

    /**
     * @param array{
     *     targets: array<string, array{url: string, secret: string, classes?: list<string>, assets?: bool, documents?: bool, body?: string}>,
     *     spool: string, batch?: int, hold?: float, connect_timeout?: float, timeout?: float, pause?: float, max_bytes?: int
     * } $settings
     * @param callable(): bool|null $inTransaction whether a transaction is open in which elements may have been saved
     */
    public function __construct(
        #[\SensitiveParameter]
        array $settings,
        ?LoggerInterface $logger = null,
        private $inTransaction = null,
    ) {
        $this->journal = new Journal($logger);
        $this->batch = max(1, $settings['batch'] ?? 200);
        $this->hold = $settings['hold'] ?? 5.0;
        $this->timeout = max(0.05, $settings['timeout'] ?? 2.0);
        $sender = new Sender($settings['connect_timeout'] ?? 0.3);
        $channels = [];
        foreach ($settings['targets'] as $name => $t) {
            try {
                $target = new Target(
                    (string) $name, (string) ($t['url'] ?? ''), (string) ($t['secret'] ?? ''), $t['classes'] ?? [],
                    $t['assets'] ?? true, $t['documents'] ?? false, $t['body'] ?? Target::EVENTS,
                );
                $channels[] = new Channel(
                    $target, $settings['spool'].'/'.$name, $settings['max_bytes'] ?? 64 << 20, $settings['pause'] ?? 30.0,
                    $this->batch, $this->timeout, $sender, $this->journal,
                );
            } catch (\Throwable $e) {
                $this->journal->threw($e); // a wrong setting must not stop a save
            }
        }
        $this->channels = $channels;
    }

    /** Writes a hint down; sends only where many have come together. @param array<string, mixed> $hint */
    public function note(array $hint): void
    {
        try {
            foreach ($this->channels as $channel) {
                if ($channel->target->wants($hint)) {
                    $channel->note($hint);
                }
            }
            $this->atEnd();
            if ($this->isFull()) {
                $this->flush();
            }
        } catch (\Throwable $e) {
            $this->journal->threw($e);
        }
    }

    /** Sends what waits, unless a transaction is open: a reader would see the state before it. */
    public function flush(): void
    {
        if ($this->busy) {
            return;
        }
        $this->busy = true;
        try {
            if (0 === $this->pending() || $this->inTransaction()) {
                return;
            }
            $this->since = 0.0;
            $until = microtime(true) + $this->timeout;
            foreach ($this->channels as $i => $channel) {
                $now = microtime(true);
                $channel->flush($now + ($until - $now) / (\count($this->channels) - $i));
            }
        } catch (\Throwable $e) {
            $this->journal->threw($e);
        } finally {
            $this->busy = false;
        }
    }

    /** Something around us threw; the save goes on. */
    public function failed(\Throwable $e): void
    {
        $this->journal->threw($e);
    }

    /** The last word of the process. */
    public function end(): void
    {
        $this->flush();
        foreach ($this->channels as $channel) {
            try {
                $channel->close();
            } catch (\Throwable $e) {
                $this->journal->threw($e);
            }
        }
    }

    /** Sends all that waits, by target: what a cron job does. @return array<string, Report> */
    public function send(float $timeout = 30.0): array
    {
        $reports = [];
        foreach ($this->channels as $channel) {
            try {
                $reports[$channel->target->name] = $channel->drain($timeout);
            } catch (\Throwable $e) {
                $this->journal->threw($e);
                $reports[$channel->target->name] = $report = new Report();
                $report->why = 'see the log';
            }
        }

        return $reports;
    }

    private function pending(): int
    {
        $pending = 0;
        foreach ($this->channels as $channel) {
            $pending = max($pending, $channel->pending());
        }

        return $pending;
    }

    private function isFull(): bool
    {
        $pending = $this->pending();
        if (0 === $pending || 0.0 === $this->since) {
            $this->since = microtime(true);
        }

        return $pending >= $this->batch || ($this->hold > 0 && $pending > 0 && microtime(true) - $this->since > $this->hold);
    }

    /** Where that cannot be told it counts as open: the hints go out later then, not too early. */
    private function inTransaction(): bool
    {
        return null !== $this->inTransaction && ($this->inTransaction)();
    }

    private function atEnd(): void
    {
        if (!$this->willEnd) {
            $this->willEnd = true;
            register_shutdown_function($this->end(...));
        }
    }
}
