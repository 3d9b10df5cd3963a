<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** Something is wrong in a way that our own words tell: its message holds no secret and no value of an element. */
final class Mistake extends \RuntimeException
{
}
