<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/**
 * The hints of this process that may not be sent yet: a file per process and target, locked as long as the process lives.
 * Others leave it alone, because a transaction of ours may still be open. When we die the lock falls, and whoever comes
 * next takes the file over (Spool::adopt).
 */
final class OwnFile
{
    public const END = '.open';

    /** @var resource|null */
    private $handle;
    private string $path = '';
    private int $owner = 0;
    private int $lines = 0;
    private int $bytes = 0;

    public function __construct(private readonly string $folder)
    {
    }

    /** Adds a line, without waiting for the disk: it survives the death of the process, not of the machine. */
    public function add(string $line): bool
    {
        $handle = $this->handle();
        if (null === $handle) {
            return false;
        }
        if (\strlen($line) !== @fwrite($handle, $line)) {
            @ftruncate($handle, $this->bytes); // no torn line

            return false;
        }
        ++$this->lines;
        $this->bytes += \strlen($line);

        return true;
    }

    public function lines(): int
    {
        return $this->isOurs() ? $this->lines : 0;
    }

    public function bytes(): int
    {
        return $this->isOurs() ? $this->bytes : 0;
    }

    /** Hands the lines over; they are gone from here when the taker says so. @param callable(resource): bool $take */
    public function handOver(callable $take): bool
    {
        if (0 === $this->bytes()) {
            return true;
        }
        if (!$take($this->handle) || !@ftruncate($this->handle, 0)) {
            return false;
        }
        $this->lines = $this->bytes = 0;

        return true;
    }

    /** Lets the file go: an empty one is removed, the lines of another are free for whoever comes next. */
    public function close(): void
    {
        if ($this->isOurs()) {
            if (0 === $this->bytes) {
                @unlink($this->path);
            }
            fclose($this->handle);
        }
        $this->handle = null;
        $this->lines = $this->bytes = 0;
    }

    public function path(): string
    {
        return $this->isOurs() ? $this->path : '';
    }

    /** A forked child has its parent's handle; the file stays the parent's. */
    private function isOurs(): bool
    {
        return \is_resource($this->handle) && $this->owner === getmypid();
    }

    /** @return resource|null */
    private function handle()
    {
        if ($this->isOurs()) {
            return $this->handle;
        }
        $this->handle = null;
        $this->lines = $this->bytes = 0;
        Files::folder($this->folder);
        for ($try = 0; $try < 5; ++$try) {
            $path = sprintf('%s/%016d-%d-%s%s', $this->folder, (int) (microtime(true) * 1e6), getmypid(), bin2hex(random_bytes(4)), self::END);
            $handle = Files::lock($path, 'a+');
            // Another may have found the file before it was locked, and removed it as one that nobody needs.
            if (null !== $handle && Files::same($handle, $path)) {
                $this->handle = $handle;
                $this->path = $path;
                $this->owner = (int) getmypid();

                return $handle;
            }
        }

        return null;
    }
}
