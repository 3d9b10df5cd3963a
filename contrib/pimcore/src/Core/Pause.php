<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/**
 * After a failure nobody tries for a while: not this process, and, by a file, not the other processes of this machine
 * either. Under FPM each save is a process of its own, so to say, and each would wait for the same dead port.
 */
final class Pause
{
    private float $until = 0.0;

    public function __construct(private readonly string $file, private readonly float $seconds)
    {
    }

    public function holds(): bool
    {
        $now = microtime(true);
        if ($now < $this->until) {
            return true;
        }
        $told = (float) @file_get_contents($this->file);

        return $now < $told && $told <= $now + $this->seconds; // a clock that was set back must not stop us for long
    }

    public function begin(): void
    {
        $this->until = microtime(true) + $this->seconds;
        Files::put($this->file, sprintf('%.3F', $this->until));
    }

    public function end(): void
    {
        $this->until = 0.0;
        if (is_file($this->file)) {
            @unlink($this->file);
        }
    }
}
