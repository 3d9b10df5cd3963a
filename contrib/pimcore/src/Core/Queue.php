<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/**
 * The hints of one target that may be sent, oldest first, in files of about a megabyte. Appending needs the lock "append";
 * reading and removing the lock "send", which the caller holds. The file "at" tells how far the oldest file was sent;
 * where it is lost, hints are sent twice, which is harmless.
 */
final class Queue
{
    private const END = '.lines';
    private const SEGMENT = 1 << 20;
    private const LINE = 64 << 10;

    public function __construct(private readonly string $folder, private readonly int $maxBytes)
    {
    }

    /**
     * Appends what is in an open file. False: it could not be done, all is as before. Over the size limit nothing is
     * appended, and the mark "overflow" stands for the lines.
     *
     * @param resource $from
     */
    public function append($from): bool
    {
        Files::folder($this->folder);
        $lock = Files::lock($this->folder.'/append', wait: 0.25);
        if (null === $lock) {
            return false;
        }
        try {
            $names = $this->segments();
            $sizes = array_map(fn (string $n): int => (int) @filesize($this->folder.'/'.$n), $names);
            if (array_sum($sizes) + Files::size($from) > $this->maxBytes) {
                return $this->overflow('the spool is full');
            }
            $last = [] === $names ? null : $names[\count($names) - 1];
            if (null === $last || $sizes[\count($sizes) - 1] >= self::SEGMENT) {
                $last = sprintf('%016d%s', max((int) (microtime(true) * 1e6), (int) $last + 1), self::END);
            }

            return $this->copy($from, $this->folder.'/'.$last);
        } finally {
            fclose($lock);
        }
    }

    /** @param resource $from */
    private function copy($from, string $path): bool
    {
        $to = @fopen($path, 'a+e');
        if (false === $to) {
            return false;
        }
        $before = $size = Files::size($to);
        $want = Files::size($from);
        // A torn end, of a machine that died, must not spoil our first line; ours must not spoil the next one's.
        if ($before > 0 && (-1 === fseek($to, -1, \SEEK_END) || "\n" !== fgetc($to))) {
            $size += (int) @fwrite($to, "\n");
        }
        $good = 0 === fseek($from, 0) && $want === @stream_copy_to_stream($from, $to)
            && 0 === fseek($from, -1, \SEEK_END) && ("\n" === fgetc($from) || 1 === @fwrite($to, "\n"))
            && Files::size($to) >= $size + $want;
        if (!$good) {
            @ftruncate($to, $before);
        }
        fclose($to);

        return $good;
    }

    /**
     * The oldest lines that were not sent, and the place behind them; null when there are none. Files that are done are
     * removed on the way.
     *
     * @return array{lines: list<string>, next: string}|null
     */
    public function read(int $max): ?array
    {
        while ([] !== $names = $this->segments()) {
            $name = $names[0];
            $handle = @fopen($this->folder.'/'.$name, 're');
            if (false === $handle) {
                throw new Mistake("the spool file {$this->folder}/$name cannot be read");
            }
            [$lines, $offset] = self::lines($handle, $this->at($name), $max);
            fclose($handle);
            if ([] !== $lines) {
                return ['lines' => $lines, 'next' => $name.' '.$offset];
            }
            if (!$this->remove($name, $offset, 1 === \count($names))) {
                return null;
            }
        }

        return null;
    }

    /**
     * Whole lines only: another may be writing the last one. A line without end, longer than any of ours, counts as
     * lines, so that it cannot stand in the way.
     *
     * @param resource $handle
     *
     * @return array{list<string>, int}
     */
    private static function lines($handle, int $offset, int $max): array
    {
        $lines = [];
        fseek($handle, $offset);
        while (\count($lines) < $max && false !== $line = fgets($handle, self::LINE)) {
            if (!str_ends_with($line, "\n") && \strlen($line) < self::LINE - 1) {
                break;
            }
            $lines[] = $line;
            $offset += \strlen($line);
        }

        return [$lines, $offset];
    }

    /** Removes a file that is done. The last one only while nobody can append to it; false: there is more in it now. */
    private function remove(string $name, int $offset, bool $last): bool
    {
        $path = $this->folder.'/'.$name;
        $lock = $last ? Files::lock($this->folder.'/append', wait: 0.25) : null;
        if ($last && null === $lock) {
            return false;
        }
        clearstatcache(true, $path);
        $rest = (int) @filesize($path) - $offset;
        // With the lock nobody writes: a rest without an end is torn, its hints are lost, and the mark stands for them.
        if ($rest > 0) {
            $handle = @fopen($path, 're');
            $more = false !== $handle && [] !== self::lines($handle, $offset, 1)[0];
            if (false !== $handle) {
                fclose($handle);
            }
            $more || $this->overflow('a line of the spool is torn');
            if ($more) {
                null === $lock || fclose($lock);

                return true; // appended after we had read: read again
            }
        }
        // The place first: a new file never has this one's name, but what is gone cannot mislead.
        @unlink($this->folder.'/at');
        $gone = @unlink($path);
        null === $lock || fclose($lock);
        if (!$gone) {
            throw new Mistake("the spool file $path cannot be removed");
        }

        return true;
    }

    /** Remembers that all before the place was taken by lockstep. */
    public function advance(string $next): void
    {
        if (!Files::put($this->folder.'/at', $next)) {
            throw new Mistake("the spool's place {$this->folder}/at cannot be written");
        }
    }

    private function at(string $name): int
    {
        $at = explode(' ', (string) @file_get_contents($this->folder.'/at'));

        return 2 === \count($at) && $at[0] === $name && ctype_digit($at[1]) ? (int) $at[1] : 0;
    }

    /** Sets the mark: hints were lost, look at everything. */
    public function overflow(string $why): bool
    {
        return Files::put($this->folder.'/overflow', bin2hex(random_bytes(8)).' '.$why);
    }

    /** The mark, or '' when it is not set. */
    public function overflowed(): string
    {
        return (string) @file_get_contents($this->folder.'/overflow');
    }

    /** Lockstep was told; a mark that was set again since stays. */
    public function clearOverflow(string $mark): void
    {
        if ($this->overflowed() === $mark) {
            @unlink($this->folder.'/overflow');
        }
    }

    /** Whether anything is there to be sent. */
    public function waiting(): bool
    {
        return [] !== $this->segments() || '' !== $this->overflowed();
    }

    /** Bytes that wait. */
    public function bytes(): int
    {
        $names = $this->segments();
        $sizes = array_map(fn (string $n): int => (int) @filesize($this->folder.'/'.$n), $names);

        return [] === $names ? 0 : array_sum($sizes) - $this->at($names[0]);
    }

    /** Brings what was appended to the disk: what could not be sent shall survive the machine, too. */
    public function sync(): void
    {
        $names = $this->segments();
        $handle = [] === $names ? false : @fopen($this->folder.'/'.$names[\count($names) - 1], 'ae');
        if (false !== $handle) {
            @fsync($handle);
            fclose($handle);
        }
    }

    /** @return list<string> */
    private function segments(): array
    {
        clearstatcache();

        return Files::names($this->folder, self::END);
    }
}
