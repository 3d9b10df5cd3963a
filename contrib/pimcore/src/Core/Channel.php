<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** One target's way: from the event into the spool, from the spool to lockstep. */
final class Channel
{
    /** How many hints are kept in memory where the disk takes none. */
    private const MEMORY = 1000;

    private readonly Spool $spool;
    private readonly Pause $pause;
    /** @var list<string> */
    private array $memory = [];
    private bool $lost = false;

    public function __construct(
        public readonly Target $target,
        private readonly string $folder,
        int $maxBytes,
        float $pause,
        private readonly int $batch,
        private readonly float $timeout,
        private readonly Sender $sender,
        private readonly Journal $journal,
    ) {
        $this->spool = new Spool($folder, $maxBytes);
        $this->pause = new Pause($folder.'/pause', $pause);
    }

    /** @param array<string, mixed> $hint */
    public function note(array $hint): void
    {
        $line = Batch::line($hint);
        try {
            if ($this->spool->add($line)) {
                return;
            }
            $this->journal->say('disk', 'error', "the spool {$this->folder} takes no hints: they are kept in memory only");
        } catch (\Throwable $e) {
            $this->journal->threw($e);
        }
        if (\count($this->memory) < self::MEMORY) {
            $this->memory[] = $line;
        } else {
            $this->lost = true;
        }
    }

    public function pending(): int
    {
        return $this->spool->pending() + \count($this->memory);
    }

    /** Makes our hints ready and sends what is ready, until the time is over. No transaction may be open. */
    public function flush(float $until): void
    {
        $this->ready();
        if (!$this->pause->holds()) {
            $this->send($until, $this->timeout);
        }
        if ($this->spool->queue->bytes() > 0) {
            $this->spool->queue->sync();
        }
    }

    /** Sends all that is ready, the pause aside. */
    public function drain(float $timeout): Report
    {
        $this->ready();

        return $this->send(\INF, $timeout);
    }

    /** The end of the process: what could not be made ready is free for the next one. */
    public function close(): void
    {
        $this->spool->close();
        if ([] !== $this->memory || $this->lost) {
            $this->journal->say('lost', 'error', 'hints are lost: neither the spool nor lockstep took them; a full sync finds what changed');
        }
    }

    private function ready(): void
    {
        try {
            while ([] !== $this->memory && $this->spool->add($this->memory[0])) {
                array_shift($this->memory);
            }
            if ($this->lost && [] === $this->memory && $this->spool->queue->overflow('the disk took no hints')) {
                $this->lost = false;
            }
            if (!$this->spool->seal()) {
                $this->journal->say('seal', 'warning', "hints stay in {$this->folder}/open for now: the queue beside it takes none");
            }
            $this->spool->adopt();
            if ('' !== $mark = $this->spool->queue->overflowed()) {
                $this->journal->say('overflow', 'error', 'hints were dropped: '.substr($mark, 17).'; the next notice asks lockstep to look at everything');
            }
        } catch (\Throwable $e) {
            $this->journal->threw($e);
        }
    }

    /** One process at a time sends, so that hints arrive in order. */
    private function send(float $until, float $timeout): Report
    {
        $report = new Report();
        if ([] !== $this->memory) {
            $this->sendMemory($report, $until, $timeout);
        }
        for ($round = 0; $round < 3 && $this->spool->queue->waiting(); ++$round) {
            $lock = Files::lock($this->folder.'/send');
            if (null === $lock) {
                $report->why = is_file($this->folder.'/send') ? 'another process is sending' : 'the spool cannot be written';
                break;
            }
            try {
                $report->why = '';
                $this->sendReady($report, $until, $timeout);
            } finally {
                fclose($lock);
            }
            if ('' !== $report->why) {
                break;
            }
            // Once more: what another made ready after our last look and before the lock fell, it left to us.
        }
        $report->waiting = $this->spool->queue->bytes();

        return $report;
    }

    private function sendReady(Report $report, float $until, float $timeout): void
    {
        $queue = $this->spool->queue;
        $max = $this->batch;
        while (true) {
            $read = $queue->read($max);
            $mark = $queue->overflowed();
            if (null === $read && '' === $mark) {
                return;
            }
            $lines = $read['lines'] ?? [];
            $left = $until - microtime(true);
            if ($left < 0.01) {
                $report->why = 'the time is over';

                return;
            }
            $batch = Batch::of($lines, $this->target->body, time(), '' !== $mark);
            $answer = $this->sender->post($this->target, $batch->body, min($timeout, $left));
            if ($answer->refused() && \count($lines) > 1) {
                $max = intdiv(\count($lines), 2); // too big, or one of them is bad: halve until it stands alone

                continue;
            }
            if (!$answer->taken()) {
                if ($answer->refused() && null !== $read) {
                    $this->setAside($lines);
                    $queue->advance($read['next']);
                }
                $this->failed($report, $answer);

                return;
            }
            if (null !== $read) {
                $queue->advance($read['next']);
            }
            if ('' !== $mark) {
                $queue->clearOverflow($mark);
            }
            $this->pause->end();
            $report->sent += $batch->events;
            $max = $this->batch;
        }
    }

    /** Where the disk takes nothing, what is in memory goes out as it is. */
    private function sendMemory(Report $report, float $until, float $timeout): void
    {
        foreach (array_chunk($this->memory, $this->batch) as $lines) {
            $left = $until - microtime(true);
            if ($left < 0.01) {
                return;
            }
            $batch = Batch::of($lines, $this->target->body, time(), $this->lost);
            $answer = $this->sender->post($this->target, $batch->body, min($timeout, $left));
            if (!$answer->taken()) {
                $this->failed($report, $answer);

                return;
            }
            $this->lost = false;
            $this->memory = \array_slice($this->memory, \count($lines));
            $report->sent += $batch->events;
        }
    }

    private function failed(Report $report, Answer $answer): void
    {
        $this->pause->begin();
        $report->why = (string) $answer;
        $this->journal->say(
            'send '.$this->target->name,
            $answer->wrong() ? 'error' : 'warning',
            "target {$this->target->name} takes no hints ($answer): they wait in the spool",
        );
    }

    /** A hint that lockstep refuses alone: kept for a person to see, and the mark makes up for it. @param list<string> $lines */
    private function setAside(array $lines): void
    {
        $file = $this->folder.'/refused';
        if ((int) @filesize($file) < 1 << 20) {
            @file_put_contents($file, implode('', $lines), \FILE_APPEND);
        }
        if (!$this->spool->queue->overflow('lockstep refused a hint')) {
            throw new Mistake("the spool {$this->folder} cannot be written");
        }
        $this->journal->say('refused', 'error', "lockstep refused a hint, see $file");
    }
}
