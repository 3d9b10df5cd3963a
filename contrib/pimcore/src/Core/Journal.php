<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

use Psr\Log\LoggerInterface;

/** Says each kind of trouble once per process, and never throws: a logger can fail, too. */
final class Journal
{
    /** @var array<string, true> */
    private array $said = [];

    public function __construct(private readonly ?LoggerInterface $logger = null)
    {
    }

    /** @param 'warning'|'error' $level */
    public function say(string $kind, string $level, string $message): void
    {
        if (isset($this->said[$kind])) {
            return;
        }
        $this->said[$kind] = true;
        try {
            $this->logger?->log($level, 'lockstep: '.$message);
        } catch (\Throwable) {
        }
    }

    /** What others throw may quote values and settings: of that only the kind and the place are told. */
    public function threw(\Throwable $e): void
    {
        $what = $e instanceof Mistake ? $e->getMessage() : sprintf('%s at %s:%d', $e::class, basename($e->getFile()), $e->getLine());
        $this->say('threw', 'error', $what);
    }
}
