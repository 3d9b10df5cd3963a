<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/**
 * What all files of the spool need. No call warns: Symfony turns warnings into exceptions, and what fails here is told
 * by its result.
 */
final class Files
{
    /**
     * Opens a file and locks it, or gives null: it cannot be opened, or another holds it for longer than $wait seconds.
     * Not inherited by programs that are started (mode e): one that outlives us would keep the lock.
     *
     * @return resource|null
     */
    public static function lock(string $path, string $mode = 'c+', float $wait = 0.0)
    {
        $handle = @fopen($path, $mode.'e');
        if (false === $handle) {
            return null;
        }
        $until = microtime(true) + $wait;
        while (!@flock($handle, \LOCK_EX | \LOCK_NB)) {
            if (microtime(true) >= $until) {
                fclose($handle);

                return null;
            }
            usleep(500);
        }

        return $handle;
    }

    /**
     * Whether the path still names the open file: another may have removed it between our open and our lock.
     *
     * @param resource $handle
     */
    public static function same($handle, string $path): bool
    {
        clearstatcache(true, $path);
        $here = @fstat($handle);
        $there = @stat($path);

        return false !== $here && false !== $there && $here['ino'] === $there['ino'] && $here['dev'] === $there['dev'];
    }

    /** @param resource $handle */
    public static function size($handle): int
    {
        return (int) (@fstat($handle)['size'] ?? 0);
    }

    public static function folder(string $path): void
    {
        if (!is_dir($path) && !@mkdir($path, 0770, true) && !is_dir($path)) {
            throw new Mistake("the folder $path cannot be made");
        }
    }

    /** The names in a folder that end so, in order. @return list<string> */
    public static function names(string $folder, string $end): array
    {
        $names = @scandir($folder);

        return array_values(array_filter(false === $names ? [] : $names, static fn (string $n): bool => str_ends_with($n, $end)));
    }

    /** Puts a small file in one step: readers see the old text or the new. */
    public static function put(string $path, string $text): bool
    {
        $new = $path.'.'.bin2hex(random_bytes(4)).'.new';
        if (\strlen($text) === @file_put_contents($new, $text) && @rename($new, $path)) {
            return true;
        }
        @unlink($new);

        return false;
    }
}
