<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/**
 * The durable memory of one target: hints are written down when they happen (own file), and become ready to be sent
 * (queue) when no transaction is open that could still roll them back or hide them from a reader.
 */
final class Spool
{
    private readonly OwnFile $own;
    public readonly Queue $queue;

    public function __construct(private readonly string $folder, private readonly int $maxBytes)
    {
        $this->own = new OwnFile($folder.'/open');
        $this->queue = new Queue($folder.'/queue', $maxBytes);
    }

    /**
     * Writes a hint down. False: the disk does not take it. Where one transaction has more hints than the spool may hold
     * the rest is dropped; the file is too big for the queue then, which sets its mark, but not before the transaction ends.
     */
    public function add(string $line): bool
    {
        return $this->own->bytes() > $this->maxBytes || $this->own->add($line);
    }

    /** Our hints that are not ready yet. */
    public function pending(): int
    {
        return $this->own->lines();
    }

    /** Our hints become ready: to be called while no transaction is open. */
    public function seal(): bool
    {
        return $this->own->handOver($this->queue->append(...));
    }

    /** Lets our file go; what is still in it is for whoever comes next. */
    public function close(): void
    {
        $this->own->close();
    }

    /**
     * Takes over the files of processes that ended before they could make their hints ready. Their transactions have
     * ended with them: what was rolled back is a hint too many, which is harmless.
     */
    public function adopt(): void
    {
        $own = $this->own->path();
        foreach (Files::names($this->folder.'/open', OwnFile::END) as $name) {
            $path = $this->folder.'/open/'.$name;
            $handle = $path === $own ? null : Files::lock($path, 'r+');
            if (null === $handle) {
                continue; // its writer lives, or another was faster
            }
            $good = !Files::same($handle, $path) || 0 === Files::size($handle) || $this->queue->append($handle);
            if ($good && Files::same($handle, $path)) {
                @unlink($path);
            }
            fclose($handle);
            if (!$good) {
                return; // the queue takes nothing now; each further try could cost its waiting time
            }
        }
    }
}
