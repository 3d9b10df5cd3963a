<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle;

use Symfony\Component\HttpKernel\Bundle\Bundle;

/** Tells lockstep what was saved and deleted in Pimcore. It needs no installer: it has no tables and no pages. */
final class LockstepPimcoreBundle extends Bundle
{
    public function getPath(): string
    {
        return \dirname(__DIR__);
    }
}
