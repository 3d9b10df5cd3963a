<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** What came of sending: events that were taken, bytes that wait still, and why. */
final class Report
{
    public int $sent = 0;
    public int $waiting = 0;
    public string $why = '';
}
