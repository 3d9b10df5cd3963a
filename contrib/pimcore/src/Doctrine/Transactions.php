<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Doctrine;

use Doctrine\DBAL\Connection;

/** Whether Pimcore's connection has an open transaction. Asking does not connect. */
final class Transactions
{
    public function __construct(private readonly Connection $connection)
    {
    }

    public function __invoke(): bool
    {
        return $this->connection->isTransactionActive();
    }
}
