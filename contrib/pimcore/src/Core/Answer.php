<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** What came of a try to send. */
final class Answer
{
    /** @param int $status 0: none came */
    public function __construct(public readonly int $status, private readonly string $why = '')
    {
    }

    public function taken(): bool
    {
        return $this->status >= 200 && $this->status < 300;
    }

    /** The body itself is refused: sent again, it will be refused again. */
    public function refused(): bool
    {
        return \in_array($this->status, [400, 413, 422], true);
    }

    /** Waiting does not help, a person must look. */
    public function wrong(): bool
    {
        return $this->status >= 300 && $this->status < 500 && !\in_array($this->status, [408, 429], true);
    }

    public function __toString(): string
    {
        return 0 === $this->status ? $this->why : trim('HTTP '.$this->status.' '.$this->why);
    }
}
